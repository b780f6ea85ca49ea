"""The back end's process: gunicorn in front of ``backend.wsgi``."""

import sys

from workbench.services import Service
from workbench.services.environment import minimal
from workbench.settings import CODE, Settings


def prepare(settings: Settings, *, serve_page: bool = False) -> Service:
    """Say how the back end is started.

    Parameters
    ----------
    serve_page
        Let it serve the drawing page as well, where there is no Apache.
    """
    (settings.backend / "models").mkdir(parents=True, exist_ok=True)
    url = settings.own_backend
    return Service(
        name="backend",
        command=(
            sys.executable,
            "-m",
            "gunicorn",
            "--chdir",
            str(CODE),
            "-c",
            str(CODE / "backend" / "gunicorn.conf.py"),
            "backend.wsgi:app",
        ),
        environment=minimal(
            settings,
            WORKBENCH_BACKEND_PORT=str(settings.backend_port),
            WORKBENCH_BACKEND_ADDRESS=settings.backend_address,
            WORKBENCH_BACKEND_URL=settings.backend_url,
            WORKBENCH_DEPLOY_TOKEN=settings.deploy_token,
            WORKBENCH_ALLOWED_ORIGINS=",".join(settings.allowed_origins),
            WORKBENCH_ALLOWED_HOSTS=",".join(settings.allowed_hosts),
            WORKBENCH_TRUSTED_PROXIES=",".join(map(str, settings.trusted_proxies)),
            TF_MODEL_SERVER=settings.tf_model_server or "",
            WORKBENCH_SERVE_PAGE="1" if serve_page else "",
        ),
        port=settings.backend_port,
        health=f"{url}/healthz",
        url=url,
        address=settings.backend_address,
    )
