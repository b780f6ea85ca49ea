"""``clusters/NAME/cluster.json``: what no process of a cluster can tell once it is gone, its layout and addresses."""

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.errors import BadInput, NotFound
from workbench.machines import Place, check_cluster_name
from workbench.machines.local.messages import NONE, Work
from workbench.machines.local.sandbox import MachineLimits
from workbench.machines.local.users import OF_OTHERS, choose_uid, uid_of_job
from workbench.system import files, wire
from workbench.system.locks import locked

FILE = "cluster.json"


@dataclass(frozen=True)
class ClusterRecord:
    """What is kept of a cluster."""

    places: tuple[Place, ...]
    addresses: dict[str, str]
    """By the place's name."""
    folder: Path | None
    """Of the job in which it works; ``None`` while it stands ready."""
    module: str
    limits: MachineLimits
    created: float
    isolation: str = NONE
    uid: int = 0
    """The user that its machines run as, where they are isolated; no other cluster of this home has it."""

    @property
    def work(self) -> Work | None:
        return Work(self.module, self.folder) if self.folder else None

    @property
    def by_role(self) -> dict[str, list[str]]:
        """The addresses as ``job.json`` has them."""
        found: dict[str, list[str]] = {}
        for place in self.places:
            found.setdefault(place.role, []).append(self.addresses[str(place)])
        return found


def folder_of(home: Path, name: str) -> Path:
    """Where a cluster's record and its socket are."""
    return home / "clusters" / name


def recorded(home: Path, name: str = "*") -> list[str]:
    """The names of the clusters that have a record; of that one only where one is given."""
    return [path.parent.name for path in (home / "clusters").glob(f"{name}/{FILE}")]


def read(home: Path, name: str) -> ClusterRecord:
    """Read a cluster's record.

    Raises
    ------
    NotFound
        There is none that can be read.
    """
    try:
        record = wire.unpack(ClusterRecord, json.loads((folder_of(home, name) / FILE).read_text()))
        return (
            record if record.uid else replace(record, uid=choose_uid(name, ()))
        )  # as it was chosen before it was kept
    except FileNotFoundError as error:
        raise NotFound(f"there is no cluster {name!r}") from error
    except ValueError as error:  # of another version of the workbench
        raise NotFound(f"the record of the cluster {name!r} cannot be read: {error}; terminate it") from error


def create(home: Path, name: str, record: ClusterRecord) -> ClusterRecord:
    """Record a new cluster and give it a user of its own; whoever comes second with the name is refused."""
    check_cluster_name(name)
    folder = folder_of(home, name)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(folder.parent / ".users.lock"):
        record = replace(record, uid=choose_uid(name, uids(home).values()))
        try:
            folder.mkdir(mode=0o700)
        except FileExistsError as error:
            raise BadInput(f"there is a cluster {name!r} already; terminate it first") from error
        write(home, name, record)
    return record


def uids(home: Path) -> dict[str, int]:
    """The users of the clusters that have a record."""
    found = {}
    for name in recorded(home):
        with contextlib.suppress(NotFound):
            found[name] = read(home, name).uid
    return found


def may_be(name: str, uid: int, taken: Mapping[str, int]) -> bool:
    """Whether a cluster may run as this user: its own one, or for one without a record one that no other has.

    Parameters
    ----------
    taken
        As :func:`uids` gives it.
    """
    of_job = uid_of_job(name)
    if of_job is not None or name in taken:
        return uid == (taken[name] if of_job is None else of_job)
    return uid in OF_OTHERS and uid not in taken.values()


def write(home: Path, name: str, record: ClusterRecord) -> None:
    """Replace a cluster's record."""
    files.write_json(folder_of(home, name) / FILE, wire.pack(record), indent=1)
