"""``clusters/NAME/cluster.json``: what no process of a cluster can tell once it is gone, its layout and addresses."""

import json
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import BadInput, NotFound
from workbench.machines import Place, check_cluster_name
from workbench.machines.local.messages import NONE, Work
from workbench.machines.local.sandbox import MachineLimits
from workbench.system import files, wire

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
        return wire.unpack(ClusterRecord, json.loads((folder_of(home, name) / FILE).read_text()))
    except FileNotFoundError as error:
        raise NotFound(f"there is no cluster {name!r}") from error
    except ValueError as error:  # of another version of the workbench
        raise NotFound(f"the record of the cluster {name!r} cannot be read: {error}; terminate it") from error


def create(home: Path, name: str, record: ClusterRecord) -> None:
    """Record a new cluster; whoever comes second with the name is refused."""
    check_cluster_name(name)
    folder = folder_of(home, name)
    folder.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError as error:
        raise BadInput(f"there is a cluster {name!r} already; terminate it first") from error
    write(home, name, record)


def write(home: Path, name: str, record: ClusterRecord) -> None:
    """Replace a cluster's record."""
    files.write_json(folder_of(home, name) / FILE, wire.pack(record), indent=1)
