"""What a machine of this computer cannot see or do: namespaces, an unprivileged user, limits (Linux, by ctypes).

As root, a cluster gets

- a mount namespace in which the workbench's home shows the jobs and the data sets only, ``/tmp`` and its like are
  empty, and a folder that only root may enter (``/root``, where uv keeps Python) shows what Python needs of it;
- a network namespace with nothing but loopback: TensorFlow's gRPC, which asks nobody for a password, is heard by
  the cluster alone;
- a process namespace: when its first process ends the kernel ends all others;
- a user without a name, without capabilities and without a way to get them.
"""

import contextlib
import ctypes
import fcntl
import os
import pwd
import resource
import socket
import struct
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from workbench.settings import PROJECT

FIRST_UID, UIDS = 61184, 4336
"""The range that systemd keeps for users without a name (https://systemd.io/UIDS-GIDS)."""
EMPTIED = tuple(map(Path, ("/tmp", "/var/tmp", "/dev/shm", "/run")))  # noqa: S108
RESERVED_BYTES = 2 * 1024**3 + (os.cpu_count() or 1) * 256 * 1024**2
"""Data that counts as a process' own but is never used: 1.2 GB in a chief on 2 processors, most of it the stacks of its
110 threads."""
TMPFS_OPTIONS = "mode=1777,size=256m"

_CLONE_NEWNS, _CLONE_NEWIPC, _CLONE_NEWPID, _CLONE_NEWNET = 0x00020000, 0x08000000, 0x20000000, 0x40000000
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_REMOUNT, _MS_BIND, _MS_REC, _MS_PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = 1, 4, 36, 38
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_O_PATH = 0o10000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.getenv.restype = ctypes.c_void_p


@dataclass(frozen=True)
class Limits:
    """What one machine may use."""

    memory_bytes: int
    """Of its own: what it shares with others, as the code of TensorFlow, is not counted."""
    file_bytes: int = 8 * 1024**3
    """Of one file."""
    cpu_s: int = 14 * 24 * 3600
    files: int = 4096
    processes: int = 4096
    """Of the cluster's user, threads included; not counted for root."""


def uid_of(number: int) -> int:
    """The user of the cluster with this number.

    >>> uid_of(1) != uid_of(2)
    True
    """
    return FIRST_UID + number % UIDS


def needed() -> list[Path]:
    """What Python and the workbench's own code are read from."""
    found = [Path(sys.prefix), Path(sys.base_prefix)]
    for entry in map(Path, sys.path):
        if entry.is_dir():
            found.append(PROJECT / "workbench" if entry == PROJECT else entry)
    return _outermost(path.resolve() for path in found)


def unshare() -> None:
    """Leave the namespaces for own ones; the next child is the first process of the new process namespace."""
    _check(_libc.unshare(_CLONE_NEWNS | _CLONE_NEWIPC | _CLONE_NEWPID | _CLONE_NEWNET), "unshare")


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
    _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)
    stays = dict.fromkeys(shown, True) | dict.fromkeys(kept, False)
    emptied = {*EMPTIED, home, *filter(None, map(_closed_ancestor, stays))}
    with contextlib.suppress(KeyError):  # the name of the user may not be known here
        emptied.add(Path(pwd.getpwuid(os.getuid()).pw_dir))
    emptied -= {Path("/"), *stays}
    inwards = sorted((p for p in emptied if p.is_dir() and not p.is_symlink()), key=lambda p: len(p.parts))
    # Opened before the first is emptied: what is hidden by then is still reached by its descriptor.
    opened = {path: os.open(path, _O_PATH | os.O_CLOEXEC) for path in stays}
    for folder in inwards:
        folder.mkdir(parents=True, exist_ok=True)
        _mount(
            "tmpfs",
            folder,
            "tmpfs",
            _MS_NOSUID | _MS_NODEV,
            TMPFS_OPTIONS if folder in EMPTIED else "mode=755",
        )
        for path, read_only in stays.items():
            if _innermost(path, inwards) != folder:
                continue
            path.mkdir(parents=True, exist_ok=True)
            _mount(f"/proc/self/fd/{opened[path]}", path, None, _MS_BIND | (0 if read_only else _MS_REC))
            if read_only:
                _mount("none", path, None, _MS_BIND | _MS_REMOUNT | _MS_RDONLY | _MS_NOSUID | _MS_NODEV)
    for descriptor in opened.values():
        os.close(descriptor)
    _mount("proc", Path("/proc"), "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _bring_loopback_up()


def drop(uid: int) -> None:
    """Become the user for good; nothing that is executed gets more again."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)
    _check(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _check(_libc.prctl(_PR_SET_DUMPABLE, 1, 0, 0, 0), "prctl")  # else its own /proc/self belongs to root


def adopt_orphans() -> None:
    """Become the parent of every descendant whose own parent ends."""
    _check(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def end_with_parent(number: int) -> None:
    """Get this signal when the parent ends, however it ends."""
    _check(_libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0), "prctl")


def limit(limits: Limits) -> None:
    """Apply the limits to this process and its children; those that the system sets lower stay lower."""
    for what, value in (
        # What is really used is watched (``cluster.py``); this stops a request that could never be granted, where
        # it is made. Not RLIMIT_AS: TensorFlow reserves address space that it never uses.
        (resource.RLIMIT_DATA, limits.memory_bytes + RESERVED_BYTES),
        (resource.RLIMIT_FSIZE, limits.file_bytes),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_NOFILE, limits.files),
        (resource.RLIMIT_NPROC, limits.processes),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
    with contextlib.suppress(OSError):
        # Where memory runs out all the same the kernel ends a machine, not the dashboard.
        Path("/proc/self/oom_score_adj").write_text("600")


def write_environment(name: str, value: str) -> None:
    """Change a variable in place, where ``/proc/PID/environ`` shows it; it must have been longer before.

    A forked process shows the environment of the process that it was forked from, so the room is made there.
    """
    address = _libc.getenv(name.encode())
    if not address:
        raise LookupError(f"{name} was not in the environment that this process began with")
    room = len(ctypes.string_at(address))
    data = value.encode()
    if len(data) > room:
        raise ValueError(f"{name} has room for {room} bytes, {len(data)} are needed")
    ctypes.memmove(address, data + b" " * (room - len(data)), room)


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


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    encode = lambda text: None if text is None else text.encode()  # noqa: E731
    done = _libc.mount(encode(source), bytes(target), encode(kind), ctypes.c_ulong(flags), encode(options))
    _check(done, f"mount {kind or source} on {target}")


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
