"""The environment variables that a service gets: what it needs and nothing secret of its neighbours."""

import os
from collections.abc import Mapping

from workbench.settings import Settings

KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH")


def minimal(settings: Settings, **more: str) -> dict[str, str]:
    """What every process needs, where the workbench's state is, and ``more``.

    Temporary files go under ``settings.run``, which is emptied when the services end, however they end.
    """
    temporary = settings.run / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    kept = {name: os.environ[name] for name in KEPT if name in os.environ}
    return {
        **kept,
        "PYTHONUNBUFFERED": "1",
        "TMPDIR": str(temporary),
        "WORKBENCH_HOME": str(settings.home),
        **more,
    }


def marked(environment: Mapping[str, str], mark: str) -> dict[str, str]:
    """The environment with the mark by which the supervisor finds a service's processes, however deep."""
    return {**environment, "WORKBENCH_SERVICE": mark}
