"""What runs inside the dashboard's Jupyter server: the landing page, our Voilà pages and their kernels.

``workbench.services.dashboard`` writes the configuration that names what is here; it imports nothing of it.
"""

from typing import Any


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": "workbench.dashboard"}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Add the routes. Here, because only a Jupyter server has what it imports."""
    from workbench.dashboard import extension

    extension.load(server)
