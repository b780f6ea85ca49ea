"""Who may read what of the workbench's home, where machines run as other users; nothing unless this runs as root."""

import contextlib
import json
import os
from pathlib import Path

from workbench.errors import BadInput
from workbench.machines import machine_folder
from workbench.machines.local.messages import NONE
from workbench.machines.local.records import ClusterRecord
from workbench.system import untrusted_changes, untrusted_folders

JOB = "job.json"
MAX_JOB = 1024 * 1024


def open_home(home: Path) -> None:
    """Let the machines' users through to the jobs, the data sets and the packages, and to nothing else of the home."""
    for name in ("jobs", "data", "packages"):
        (home / name).mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return
    home.chmod(0o711)
    (home / "jobs").chmod(0o711)
    (home / "packages").chmod(0o755)
    for path in home.iterdir():
        if path.is_file() and not path.is_symlink():
            _let(path, 0o600)
        elif path.name in ("clusters", "logs", "models"):
            _let(path, 0o700)
    data = home / "data"
    for path in () if data.is_symlink() else (data, *data.glob("*.npz")):
        if not path.is_symlink():
            _let(path, 0o755 if path.is_dir() else 0o644)


def _let(path: Path, mode: int) -> None:
    """Set who may do what; what others take away meanwhile, as SQLite its log, needs nothing."""
    with contextlib.suppress(FileNotFoundError):
        path.chmod(mode)


def give(home: Path, record: ClusterRecord) -> None:
    """Make the job's folder the cluster's: its addresses in ``job.json``, its user the owner.

    Raises
    ------
    BadInput
        It is no folder that a machine may be given.
    """
    folder = record.folder
    assert folder is not None
    if not folder.resolve().is_relative_to((home / "jobs").resolve()):
        raise BadInput(f"a machine can only work in a folder below {home / 'jobs'}. Received: {folder}")
    for place in record.places:
        untrusted_changes.make_folder(folder, str(machine_folder(Path(), place)))
    if untrusted_folders.is_file(folder, JOB):
        untrusted_changes.write(folder, JOB, _with_addresses(folder, record))
    folder.chmod(0o700)
    if os.geteuid() == 0:
        try:
            untrusted_changes.give(folder, 0 if record.isolation == NONE else record.uid)
        except OSError as error:
            raise BadInput(
                f"{folder} cannot be given to machines: {error.strerror}; submit the job anew"
            ) from error


def _with_addresses(folder: Path, record: ClusterRecord) -> bytes:
    try:
        told = untrusted_folders.read_json(folder, JOB, MAX_JOB)
    except (OSError, ValueError) as error:
        raise BadInput(
            f"{JOB} was changed by the recipe's code and cannot be read ({error}); submit the job anew"
        ) from error
    return json.dumps({**told, "cluster": record.by_role}, indent=1).encode()


def take_back(record: ClusterRecord) -> None:
    """Make the folder of the job before unreadable to the next one's code, which runs as the same user."""
    if os.geteuid() == 0 and record.folder and record.folder.is_dir():
        os.chown(record.folder, 0, 0)
