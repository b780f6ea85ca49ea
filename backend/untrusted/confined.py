"""Runs a model server that nobody trusts: ``python -m backend.untrusted.confined SPEC``, the standard library alone.

Three processes: this one watches, and ends the others when its parent goes, when its socket is removed, when too
much memory is used or nobody asks any more. Its child passes what comes through the Unix socket on to the server's
ports. The server is the grandchild: it has nothing but its model, Python and a small temporary folder, a user of its
own, no network but a loopback of its own, no secrets, and limits.

Where the system allows no namespaces the limits are left, and a filter of system calls (:mod:`backend.untrusted.seccomp`) stands
in for the network of its own; ``protection`` in the folder says what holds.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import resource
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.untrusted import seccomp
from backend.untrusted.relay import pass_on

SOCKET, LOG, PROTECTION = "socket", "log", "protection"
MODEL = Path("/model")
"""Where the server finds its model, if it has a root of its own."""
WORK_MB = 64
FIRST_UID, UIDS = 63352, 2000
"""Of the range that systemd keeps for users without a name; clusters of the workbench use its first half."""
LOOK_S = 0.2
_LISTENING = 3
"""The descriptor under which a server is given the socket on which it listens."""

_NEWNS, _NEWUTS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = (
    0x00020000,
    0x04000000,
    0x08000000,
    0x10000000,
    0x20000000,
    0x40000000,
)
_RDONLY, _NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _REC, _PRIVATE = 1, 2, 4, 8, 32, 4096, 16384, 1 << 18
_PDEATHSIG, _NO_NEW_PRIVS = 1, 38
_DETACH = 2

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class Spec:
    """What is to run, and within which limits."""

    command: list[str]
    """``{model}`` and ``{grpc_port}`` in it are filled in, and ``{port}``, or ``{fd}`` for a server that takes the
    socket on which it listens; such a one gets 0 as ``grpc_port`` where it may have no socket of its own."""
    environment: dict[str, str]
    folder: str
    """Absolute; has ``model/``, and gets the socket and the log."""
    shown: list[str]
    """Folders and files that the server reads besides."""
    memory_mb: int
    cpu_s: int
    idle_s: float
    uid: int
    """Whom it runs as, if this runs as root; 0 remains root."""


def main() -> int:
    spec = Spec(**json.loads(sys.argv[1]))
    folder = Path(spec.folder)
    os.chdir(folder)  # a Unix socket's path may have 107 bytes only
    Path(SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(SOCKET)
    Path(SOCKET).chmod(0o600)
    listener.listen(64)
    mine = Path(SOCKET).stat().st_ino
    parent = os.getppid()
    log = os.open(LOG, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
    isolated = _leave()
    network = isolated or seccomp.works()
    user = isolated or (os.geteuid() == 0 and spec.uid != 0)
    (folder / PROTECTION).write_text(json.dumps({"files": isolated, "network": network, "user": user}))
    watcher = os.getpid()
    child = os.fork()
    if child == 0:
        try:
            _between(spec, listener, log, isolated, network, watcher)
        except BaseException as error:
            with contextlib.suppress(OSError):
                os.write(log, f"refused: the model server cannot be shut in: {error}\n".encode())
        finally:
            os._exit(1)
    listener.close()
    return _watch(spec, child, parent, mine, log)


# ── watching ─────────────────────────────────────────────────────────────────────────────────────


def _watch(spec: Spec, child: int, parent: int, mine: int, log: int) -> int:
    """Until the child ends, or has to."""
    try:
        while True:
            ended, _ = os.waitpid(child, os.WNOHANG)
            if ended:
                return 0
            if os.getppid() != parent or not _is_ours(mine):
                return 0
            if (used := _memory_mb(child)) > spec.memory_mb:
                os.write(log, f"refused: it used {used} MB of memory, more than {spec.memory_mb}\n".encode())
                return 1
            time.sleep(LOOK_S)
    finally:
        for pid in [*_descendants(child), child]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with contextlib.suppress(ChildProcessError):
            os.waitpid(child, 0)
        if _is_ours(mine):
            Path(SOCKET).unlink()


def _is_ours(inode: int) -> bool:
    try:
        return Path(SOCKET).stat().st_ino == inode
    except OSError:
        return False


def _descendants(pid: int) -> list[int]:
    """As this process sees them, whichever namespace they are in."""
    try:
        children = [int(c) for c in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (OSError, ValueError):
        return []
    return [*children, *(g for c in children for g in _descendants(c))]


def _memory_mb(child: int) -> int:
    total = 0
    for pid in _descendants(child):
        with contextlib.suppress(OSError, ValueError, IndexError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * resource.getpagesize() // 2**20


# ── between ──────────────────────────────────────────────────────────────────────────────────────


def _between(
    spec: Spec, listener: socket.socket, log: int, isolated: bool, network: bool, watcher: int
) -> None:
    """Start the server, and pass on what comes for it until it ends or nobody asks any more."""
    _check(_libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    if not isolated and os.getppid() != watcher:
        os._exit(0)
    model = MODEL if isolated else Path(spec.folder) / "model"
    if isolated:
        _build_root(spec)
        _bring_loopback_up()
    port, grpc_port = (8501, 8500) if isolated else (_free_port(), _free_port())
    listening = None
    if any("{fd}" in part for part in spec.command):
        listening = socket.create_server(("127.0.0.1", port))
        grpc_port = grpc_port if isolated else 0
    values = {"{port}": port, "{grpc_port}": grpc_port, "{fd}": _LISTENING, "{model}": model}
    filled = [_fill(part, values) for part in spec.command]
    refused = None
    if network and not isolated:
        refused = seccomp.NO_CALLS if listening is None else seccomp.NO_SOCKETS
    server = os.fork()
    if server == 0:
        try:
            _become(spec, filled, log, isolated, listening, refused)
        except BaseException as error:
            os.write(2, f"refused: the model server cannot be started: {error}\n".encode())
        finally:
            os._exit(1)
    if listening is not None:
        listening.close()
    asked = [time.monotonic(), 0.0]  # when last, and how many are asking now
    lock = threading.Lock()

    def count(change: int) -> None:
        with lock:
            asked[0] = time.monotonic()
            asked[1] += change

    passing = threading.Thread(target=pass_on, args=(listener, port, grpc_port, count), daemon=True)
    passing.start()
    while True:
        ended, _ = os.waitpid(-1, os.WNOHANG)
        if ended == server or (not asked[1] and time.monotonic() - asked[0] > spec.idle_s):
            os._exit(0)
        time.sleep(LOOK_S)


def _fill(part: str, values: Mapping[str, object]) -> str:
    for name, value in values.items():
        part = part.replace(name, str(value))
    return part


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


# ── being shut in ────────────────────────────────────────────────────────────────────────────────


def _leave() -> bool:
    """Leave the namespaces for own ones; whether the system lets us, as root or as a user."""
    wanted = _NEWNS | _NEWUTS | _NEWIPC | _NEWPID | _NEWNET
    root = os.geteuid() == 0
    uid, gid = os.geteuid(), os.getegid()
    # Tried in a child first: half of it could not be taken back.
    tried = os.fork()
    if tried == 0:
        os._exit(0 if _try_to_leave(wanted, root, uid, gid) else 1)
    if os.waitpid(tried, 0)[1] != 0:
        return False
    return _try_to_leave(wanted, root, uid, gid)


def _try_to_leave(wanted: int, root: bool, uid: int, gid: int) -> bool:
    if _libc.unshare(wanted if root else wanted | _NEWUSER) != 0:
        return False
    try:
        if not root:
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/uid_map").write_text(f"{uid} {uid} 1")
            Path("/proc/self/gid_map").write_text(f"{gid} {gid} 1")
        _mount("none", "/", None, _REC | _PRIVATE)
        _mount("none", str(Path.cwd()), "tmpfs", 0)
        _check(_libc.umount2(bytes(Path.cwd()), _DETACH), "umount")
    except OSError:
        return False
    return True


def _build_root(spec: Spec) -> None:
    """A root with nothing in it but what is shown, for this process and the server."""
    root = Path(spec.folder) / "root"
    root.mkdir(exist_ok=True)
    _mount("none", str(root), "tmpfs", _NOSUID | _NODEV, "mode=755,size=1m")
    (root / "tmp").mkdir()  # first: what is shown may lie in it
    _mount("none", str(root / "tmp"), "tmpfs", _NOSUID | _NODEV | _NOEXEC, f"mode=1777,size={WORK_MB}m")
    for text in dict.fromkeys([*_system(), *spec.shown]):
        path = Path(text)
        target = root / path.relative_to("/")
        if path.is_symlink():
            target.parent.mkdir(parents=True, exist_ok=True)
            if not target.is_symlink() and not target.exists():
                target.symlink_to(path.readlink())
        elif path.exists():
            _show(path, target)
    _show(Path(spec.folder) / "model", root / MODEL.relative_to("/"))
    for device in ("null", "zero", "urandom"):
        target = root / "dev" / device
        target.parent.mkdir(exist_ok=True)
        target.touch()
        _mount(f"/dev/{device}", str(target), None, _BIND)
    (root / "proc").mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # some containers do not let it be mounted; nothing needs it
        _mount("proc", str(root / "proc"), "proc", _NOSUID | _NODEV | _NOEXEC)
    old = root / "old"
    old.mkdir()
    _check(_libc.syscall(_PIVOT_ROOT, bytes(root), bytes(old)), "pivot_root")
    os.chdir("/")
    _check(_libc.umount2(b"/old", _DETACH), "umount /old")
    Path("/old").rmdir()
    _mount("none", "/", None, _REMOUNT | _BIND | _RDONLY | _NOSUID | _NODEV)


_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}.get(os.uname().machine, 155)


def _system() -> list[str]:
    """Where shared libraries are."""
    return ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"]


def _show(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    _mount(str(path), str(target), None, _BIND | _REC)
    _mount("none", str(target), None, _BIND | _REMOUNT | _RDONLY | _NOSUID | _NODEV)


def _become(
    spec: Spec,
    command: list[str],
    log: int,
    isolated: bool,
    listening: socket.socket | None,
    refused: Sequence[seccomp.Refuse] | None,
) -> None:
    """Turn into the server: limits, a user of its own, no secrets, no system calls that are refused."""
    _check(_libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")
    nothing = os.open("/dev/null", os.O_RDONLY)
    for number, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, number)
    for name, value in (
        # Address space is cheap, and TensorFlow reserves some that it never uses; what is really used is watched.
        (resource.RLIMIT_AS, (spec.memory_mb * 2 + 6144) * 2**20),
        (resource.RLIMIT_DATA, (spec.memory_mb + 2048) * 2**20),
        (resource.RLIMIT_FSIZE, WORK_MB * 2**20),
        (resource.RLIMIT_CPU, spec.cpu_s),
        (resource.RLIMIT_NOFILE, 256),
        (resource.RLIMIT_NPROC, 512),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(name)
        value = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(name, (value, value))
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("900")
    if os.geteuid() == 0:
        os.setgroups([])
        os.setresgid(spec.uid, spec.uid, spec.uid)
        os.setresuid(spec.uid, spec.uid, spec.uid)
    elif isolated:
        _drop_capabilities()
    _check(_libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")
    _check(_libc.prctl(_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "prctl")  # a change of user cleared it
    if listening is not None:
        os.dup2(listening.fileno(), _LISTENING)
        os.set_inheritable(_LISTENING, True)  # it may have been there
    os.closerange(_LISTENING + (listening is not None), 256)
    os.chdir("/" if isolated else spec.folder)
    if refused is not None:
        seccomp.install(refused)
    os.execve(command[0], command, spec.environment)  # noqa: S606


def _drop_capabilities() -> None:
    """Those that a user has in namespaces of its own; exec of a plain file gives none back without a root user."""
    for capability in range(64):
        _libc.prctl(24, capability, 0, 0, 0)  # PR_CAPBSET_DROP
    header = struct.pack("Ii", 0x20080522, 0)
    _check(_libc.capset(header, struct.pack("6I", *[0] * 6)), "capset")


def _bring_loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        asked = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(any_socket, 0x8913, asked))[1]
        fcntl.ioctl(any_socket, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))


def _mount(source: str, target: str, kind: str | None, flags: int, options: str | None = None) -> None:
    encode = lambda text: None if text is None else text.encode()  # noqa: E731
    done = _libc.mount(encode(source), encode(target), encode(kind), ctypes.c_ulong(flags), encode(options))
    _check(done, f"mount {kind or source} on {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


if __name__ == "__main__":
    sys.exit(main())
