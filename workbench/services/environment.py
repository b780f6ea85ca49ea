"""The environment variables that a service gets: what it needs and nothing secret of its neighbours."""

import os
from collections.abc import Mapping

from workbench.settings import Settings

KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "HOME", "USER", "LOGNAME", "LD_LIBRARY_PATH")

_NETWORK = {"SSL_CERT_FILE", "SSL_CERT_DIR"} | {
    case(f"{kind}_proxy") for case in (str.lower, str.upper) for kind in ("http", "https", "no", "all")
}
_INDEXES = ("UV_", "npm_config_", "NPM_CONFIG_")


def network(environ: Mapping[str, str]) -> dict[str, str]:
    """What leads to the network where it is not open: proxies, certificates, and where uv and npm find packages.

    For what fetches packages, data and AWS's answers; never for recipes, since an index's URL may hold a password.
    """
    return {name: value for name, value in environ.items() if name in _NETWORK or name.startswith(_INDEXES)}


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
