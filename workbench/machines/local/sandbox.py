"""What a machine of this computer cannot see or do: namespaces, an unprivileged user, limits (Linux).

As root, a cluster gets

- a mount namespace in which the workbench's home shows the jobs, the data sets and the packages only, ``/tmp`` and its like are
  empty, and a folder that only root may enter (``/root``, where uv keeps Python) shows what Python needs of it;
- a network namespace with nothing but loopback: TensorFlow's gRPC, which asks nobody for a password, is heard by
  the cluster alone;
- a process namespace: when its first process ends the kernel ends all others;
- a user without a name, without capabilities and without a way to get them.
"""

import contextlib
import os
import pwd
import resource
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.settings import CODE, INSTALLED
from workbench.system.sandbox import linux

EMPTIED = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run")))  # noqa: S108
RESERVED_BYTES = 2 * 1024**3 + (os.cpu_count() or 1) * 256 * 1024**2
"""Data that counts as a process' own but is never used: 1.2 GB in a chief on 2 processors, most of it the stacks of its
110 threads."""
TMPFS_OPTIONS = "mode=1777,size=256m"


@dataclass(frozen=True)
class MachineLimits:
    """What one machine may use."""

    memory_bytes: int
    """Of its own: what it shares with others, as the code of TensorFlow, is not counted."""
    file_bytes: int = 8 * 1024**3
    """Of one file."""
    cpu_s: int = 14 * 24 * 3600
    files: int = 4096
    processes: int = 4096
    """Of the cluster's user, threads included; not counted for root."""
    folder_bytes: int = 10 * 1024**3
    """Of the disk, in the job's folder."""
    folder_files: int = 20_000


def needed() -> list[Path]:
    """What Python, the workbench's own code and what else this process has imported are read from."""
    found = [Path(sys.prefix), Path(sys.base_prefix)]
    for entry in map(Path, sys.path):
        if entry.is_dir():
            own = entry == CODE and not INSTALLED  # all of site-packages is code, of a checkout not all is
            found += _packages_in_memory(CODE) if own else [entry]
    return _outermost(path.resolve() for path in found)


def _packages_in_memory(code: Path) -> list[Path]:
    """The folders right below ``code`` from which modules were imported, the workbench's at least."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    inside = [Path(file).relative_to(code) for file in files if file and Path(file).is_relative_to(code)]
    return [code / top for top in {"workbench", *(path.parts[0] for path in inside if len(path.parts) > 1)}]


def unshare() -> None:
    """Leave the namespaces for own ones; the next child is the first process of the new process namespace."""
    linux.unshare(linux.NEW_MOUNTS | linux.NEW_IPC | linux.NEW_PROCESSES | linux.NEW_NETWORK)


def hide(home: Path, shown: Iterable[Path], kept: Iterable[Path]) -> None:
    """Empty the folders that are no business of a machine's and bring loopback up; after ``unshare``, as root.

    Parameters
    ----------
    home
        Shows only what of ``kept`` and ``shown`` lies in it.
    shown
        Folders that stay, read-only where they lie in an emptied one.
    kept
        Folders that stay as they are.
    """
    linux.keep_mounts_to_oneself()
    stays = dict.fromkeys(shown, True) | dict.fromkeys(kept, False)
    emptied = {*EMPTIED, home, *filter(None, map(_closed_ancestor, stays))}
    with contextlib.suppress(KeyError):  # the name of the user may not be known here
        emptied.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    emptied -= {Path("/"), *stays}
    inwards = sorted((p for p in emptied if p.is_dir() and not p.is_symlink()), key=lambda p: len(p.parts))
    # Opened before the first is emptied: what is hidden by then is still reached by its descriptor.
    opened = {path: os.open(path, linux.O_PATH | os.O_CLOEXEC) for path in stays}
    for folder in inwards:
        folder.mkdir(parents=True, exist_ok=True)
        linux.mount_empty(folder, TMPFS_OPTIONS if folder in EMPTIED else "mode=755")
        for path, read_only in stays.items():
            if _innermost(path, inwards) != folder:
                continue
            path.mkdir(parents=True, exist_ok=True)
            source = f"/proc/self/fd/{opened[path]}"
            linux.show(source, path, read_only=read_only, with_mounts=not read_only)
    for descriptor in opened.values():
        os.close(descriptor)
    linux.mount_proc(Path("/proc"))
    linux.bring_loopback_up()


def drop(uid: int) -> None:
    """Be this user for good; nothing that is executed gets more again."""
    linux.set_user(uid)
    linux.gain_nothing()
    linux.own_proc()


def limit(limits: MachineLimits) -> None:
    """Apply the limits to this process and its children; those that the system sets lower stay lower."""
    linux.set_limits(
        {
            # What is really used is watched (``head.py``); this stops a request that could never be granted, where
            # it is made. Not RLIMIT_AS: TensorFlow reserves address space that it never uses.
            resource.RLIMIT_DATA: limits.memory_bytes + RESERVED_BYTES,
            resource.RLIMIT_FSIZE: limits.file_bytes,
            resource.RLIMIT_CPU: limits.cpu_s,
            resource.RLIMIT_NOFILE: limits.files,
            resource.RLIMIT_NPROC: limits.processes,
        },
        # Where memory runs out all the same the kernel ends a machine, not the dashboard.
        first_to_end=600,
    )


def _closed_ancestor(path: Path) -> Path | None:
    """The outermost folder on the way to ``path`` that others may not enter."""
    for folder in reversed(path.parents):
        if not folder.stat().st_mode & 0o001:
            return folder
    return None


def _innermost(path: Path, folders: Iterable[Path]) -> Path | None:
    return max((f for f in folders if path.is_relative_to(f)), key=lambda f: len(f.parts), default=None)


def _outermost(paths: Iterable[Path]) -> list[Path]:
    """The paths without those that lie in another one of them."""
    kept: list[Path] = []
    for path in sorted(set(paths), key=lambda p: len(p.parts)):
        if not any(path.is_relative_to(other) for other in kept):
            kept.append(path)
    return kept
