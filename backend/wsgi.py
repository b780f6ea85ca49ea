"""The application that gunicorn loads: ``gunicorn -c backend/gunicorn.conf.py backend.wsgi:app``."""

import os

from backend.app import create_app
from workbench.settings import PROJECT, from_environment

# Drawings, corrections and models are the owner's alone; what an untrusted model's user may see is opened where it is made.
os.umask(0o077)

app = create_app(
    from_environment(), page=PROJECT / "frontend" if os.environ.get("WORKBENCH_SERVE_PAGE") == "1" else None
)
