"""Namespaces, mounts, limits and users, as Linux gives them (by ctypes, with the standard library alone).

What is hidden from whom is decided by those who call: the machines of this computer
(:mod:`workbench.machines.local.sandbox`) and the servers of untrusted models (:mod:`backend.untrusted.confined`).
"""

import contextlib
import ctypes
import fcntl
import os
import resource
import socket
import struct
from collections.abc import Mapping
from pathlib import Path

NEW_MOUNTS, NEW_HOSTNAME, NEW_IPC, NEW_USER, NEW_PROCESSES, NEW_NETWORK = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
"""The kinds of namespaces."""
READ_ONLY, NO_SUID, NO_DEVICES, NO_EXEC, REMOUNT, BIND, RECURSIVE, PRIVATE = (
    1,
    2,
    4,
    8,
    32,
    4096,
    16384,
    1 << 18,
)
"""Of mounts."""
O_PATH = 0o10000000

_FIRST_UID, _UIDS, _OF_MACHINES = 61184, 4336, 2168
MACHINE_UIDS = range(_FIRST_UID, _FIRST_UID + _OF_MACHINES)
"""Users without a name that clusters of this computer run as; of the range that systemd keeps for such users
(https://systemd.io/UIDS-GIDS), of which nobody else's processes are."""
MODEL_UIDS = range(_FIRST_UID + _OF_MACHINES, _FIRST_UID + _UIDS)
"""Users without a name that servers of untrusted models run as: never one that a cluster runs as."""

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER, _PR_SET_NO_NEW_PRIVS = (
    1,
    4,
    24,
    36,
    38,
)
_CAPABILITIES = 64
_CAPABILITY_VERSION_3 = 0x20080522
_DETACH = 2
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine, 155)

_libc = ctypes.CDLL(None, use_errno=True)
_libc.getenv.restype = ctypes.c_void_p


def unshare(kinds: int) -> None:
    """Leave namespaces for own ones; with ``NEW_PROCESSES`` the next child is the first process of the new one."""
    _check(_libc.unshare(kinds), "unshare")


def map_only(uid: int, gid: int) -> None:
    """Let this one user and group exist in the own user namespace."""
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
    Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")


def mount(source: str, target: Path, kind: str | None, flags: int, options: str | None = None) -> None:
    """Call ``mount(2)``."""
    kind_, options_ = (None if text is None else text.encode() for text in (kind, options))
    done = _libc.mount(os.fsencode(source), bytes(target), kind_, ctypes.c_ulong(flags), options_)
    _check(done, f"mount {kind or source} on {target}")


def keep_mounts_to_oneself() -> None:
    """Let nothing that is mounted from here on be seen outside of the own mount namespace."""
    mount("none", Path("/"), None, RECURSIVE | PRIVATE)


def mount_empty(target: Path, options: str, *, more: int = 0) -> None:
    """Mount an empty folder in memory."""
    mount("tmpfs", target, "tmpfs", NO_SUID | NO_DEVICES | more, options)


def show(source: Path | str, target: Path, *, read_only: bool = True, with_mounts: bool = False) -> None:
    """Mount a folder or file at another place as well.

    Parameters
    ----------
    with_mounts
        Show what is mounted below it too; of that ``read_only`` does not speak.
    """
    mount(str(source), target, None, BIND | (RECURSIVE if with_mounts else 0))
    if read_only:
        mount("none", target, None, BIND | REMOUNT | READ_ONLY | NO_SUID | NO_DEVICES)


def mount_proc(target: Path) -> None:
    """Mount the processes of the own namespace."""
    mount("proc", target, "proc", NO_SUID | NO_DEVICES | NO_EXEC)


def unmount(target: Path) -> None:
    """Detach what is mounted there."""
    _check(_libc.umount2(bytes(target), _DETACH), f"umount {target}")


def change_root(root: Path) -> None:
    """Make a mounted folder the root and let go of the old one; what is shown in it stays, and it is read-only."""
    old = root / "old"
    old.mkdir()
    _check(_libc.syscall(_PIVOT_ROOT, bytes(root), bytes(old)), "pivot_root")
    os.chdir("/")
    unmount(Path("/old"))
    Path("/old").rmdir()
    mount("none", Path("/"), None, REMOUNT | BIND | READ_ONLY | NO_SUID | NO_DEVICES)


def bring_loopback_up() -> None:
    """Let processes of a new network namespace speak to each other."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, _SIOCGIFFLAGS, asked))[1]
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sh14x", b"lo", flags | _IFF_UP))


def set_user(uid: int) -> None:
    """Be this user, and no member of any other group, from here on; as root."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


def gain_nothing() -> None:
    """Let no program that is executed have more rights than this process."""
    _control(_PR_SET_NO_NEW_PRIVS, 1)


def own_proc() -> None:
    """Let ``/proc/self`` belong to the user again after :func:`set_user`, else root has it."""
    _control(_PR_SET_DUMPABLE, 1)


def drop_capabilities() -> None:
    """Lose those that a user has in namespaces of its own; exec of a plain file gives none back without a root user."""
    for capability in range(_CAPABILITIES):
        _libc.prctl(_PR_CAPBSET_DROP, capability, 0, 0, 0)
    header = struct.pack("Ii", _CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, struct.pack("6I", *[0] * 6)), "capset")


def adopt_orphans() -> None:
    """Be the parent of every descendant whose own parent ends."""
    _control(_PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: int) -> None:
    """Get this signal when the parent ends, however it ends; a change of user clears it."""
    _control(_PR_SET_PDEATHSIG, number)


def set_limits(limits: Mapping[int, int], *, first_to_end: int) -> None:
    """Limit this process and its children; what the system sets lower stays lower, and there are no core dumps.

    Parameters
    ----------
    limits
        By ``resource.RLIMIT_…``.
    first_to_end
        0 to 1000: how readily the kernel ends this process where memory runs out all the same.
    """
    for what, value in {**limits, resource.RLIMIT_CORE: 0}.items():
        _, hard = resource.getrlimit(what)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(what, (value, value))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text(str(first_to_end))


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


def close_all_but(kept: set[int], first: int = 3) -> None:
    """Close every descriptor from ``first`` on but these."""
    for descriptor in sorted(kept):
        os.closerange(first, descriptor)
        first = descriptor + 1
    os.closerange(first, os.sysconf("SC_OPEN_MAX"))


def _control(what: int, value: int) -> None:
    _check(_libc.prctl(what, value, 0, 0, 0), "prctl")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
