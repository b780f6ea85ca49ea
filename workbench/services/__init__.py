"""The three services that `up` runs: back end, front end, dashboard.

Each module here gives ``prepare(settings) -> Service``: it writes what the service needs under
``settings.run`` (again and again without harm) and says how to start it. The supervisor does the rest.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Service:
    """How one service is started, asked for its health, and opened."""

    name: str
    """``backend``, ``frontend`` or ``dashboard``."""
    command: tuple[str, ...]
    environment: dict[str, str]
    """The whole environment of the process: only what it needs."""
    port: int
    health: str
    """URL that answers below 500 once the service serves."""
    url: str
    """What the user opens; the dashboard's has its token."""
    warning: str | None = None
    address: str = "127.0.0.1"
    """At which it listens."""
