"""What the fork server and the first process of each cluster are asked, and what they answer."""

from dataclasses import dataclass
from pathlib import Path

from workbench.machines import Place
from workbench.machines.local.sandbox import MachineLimits

# ── the fork server ──────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Keep:
    """Stay for a while longer, and say what you are: :class:`Standing`."""


@dataclass(frozen=True)
class Standing:
    """What a fork server says of itself."""

    pid: int
    modules: tuple[str, ...]
    stale: bool
    """Our code has changed since."""
    isolation: str
    """What its clusters can be kept from: ``FULL``, ``USER`` or ``NONE``."""
    why_not: str
    """Where that is not ``FULL``: what the system said."""


FULL, USER, NONE = "namespaces and an own user", "an own user", "none"


@dataclass(frozen=True)
class End:
    """End; the clusters go on."""


@dataclass(frozen=True)
class Launch:
    """Fork the first process of a cluster."""

    name: str
    places: tuple[Place, ...]
    uid: int
    isolation: str
    limits: MachineLimits


# ── the first process of a cluster ───────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Work:
    """What each machine of a cluster does: ``main([folder, role, index])`` of a module."""

    module: str
    folder: Path


@dataclass(frozen=True)
class Look:
    """Say how machines ended that do not run now: :class:`Ends`."""


@dataclass(frozen=True)
class Ended:
    """How a machine's process ended."""

    place: Place
    code: int
    reason: str


@dataclass(frozen=True)
class Ends:
    """How machines ended, and which are ending: nobody can know yet how these do."""

    exits: tuple[Ended, ...] = ()
    ending: tuple[Place, ...] = ()


@dataclass(frozen=True)
class Start:
    """Begin the machines that do not run: in this work if some is given, in none if ``idle``, else as before."""

    only: tuple[Place, ...] | None = None
    work: Work | None = None
    idle: bool = False


@dataclass(frozen=True)
class Stop:
    """End machines and wait until they are gone."""

    only: tuple[Place, ...] | None = None


@dataclass(frozen=True)
class Run:
    """Run a command as a machine would: :class:`workbench.machines.Done`."""

    place: Place
    command: tuple[str, ...]
    timeout_s: float
