"""The application that gunicorn loads: ``gunicorn -c backend/gunicorn.conf.py backend.wsgi:app``."""

import os

from backend.app import create_app
from workbench.settings import PROJECT, from_environment

app = create_app(
    from_environment(), page=PROJECT / "frontend" if os.environ.get("WORKBENCH_SERVE_PAGE") == "1" else None
)
