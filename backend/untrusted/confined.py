"""Runs an untrusted model's server in a sandbox: ``python -m backend.untrusted.confined SPEC``.

Three processes: this one watches, and ends the others when its parent goes, when its socket is removed, when too
much memory is used or nobody asks any more. Its child passes what comes through the Unix socket on to the server's
ports. The server is the grandchild: it has nothing but its model, Python and a small temporary folder, a user of its
own, no network but a loopback of its own, no secrets, and limits.

Where the system allows no namespaces the limits are left, and a filter of system calls (:mod:`workbench.system.sandbox.seccomp`) stands
in for the network of its own; ``protection`` in the folder says what holds.
"""

import contextlib
import json
import os
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from backend.untrusted.relay import pass_on
from workbench.system.sandbox import linux, seccomp

SOCKET, LOG, PROTECTION = "socket", "log", "protection"
NO_FAULT = "the model server cannot"
"""How the log's last line begins where it is not the model that is at fault."""
MODEL = Path("/model")
"""Where the server finds its model, if it has a root of its own."""
WORK_MB = 64
LOOK_S = 0.2
_LISTENING = 3
"""The descriptor under which a server is given the socket on which it listens."""


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
    # The server's user goes through folders that are made here, whatever umask this was started with.
    os.umask(0o022)
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
                os.write(log, f"refused: {NO_FAULT} have its sandbox: {error}\n".encode())
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
    linux.end_with_parent(signal.SIGKILL)
    if not isolated and os.getppid() != watcher:
        os._exit(0)
    model = MODEL if isolated else Path(spec.folder) / "model"
    if not isolated and any("{fd}" in part for part in spec.command):
        model = Path("model")  # from where it stands: its user may not be able to go through what lies above
    if isolated:
        _build_root(spec)
        linux.bring_loopback_up()
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
            _turn_into_server(spec, filled, log, isolated, listening, refused)
        except BaseException as error:
            os.write(2, f"refused: {NO_FAULT} be started: {error}\n".encode())
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


# ── the sandbox ──────────────────────────────────────────────────────────────────────────────────


def _leave() -> bool:
    """Leave the namespaces for own ones; false where the system does not let us, as root or as a user."""
    uid, gid = os.geteuid(), os.getegid()
    # Tried in a child first: half of it could not be taken back.
    tried = os.fork()
    if tried == 0:
        os._exit(0 if _try_to_leave(uid, gid) else 1)
    if os.waitpid(tried, 0)[1] != 0:
        return False
    return _try_to_leave(uid, gid)


def _try_to_leave(uid: int, gid: int) -> bool:
    kinds = linux.NEW_MOUNTS | linux.NEW_HOSTNAME | linux.NEW_IPC | linux.NEW_PROCESSES | linux.NEW_NETWORK
    try:
        linux.unshare(kinds if uid == 0 else kinds | linux.NEW_USER)
        if uid != 0:
            linux.map_only(uid, gid)
        linux.keep_mounts_to_oneself()
        linux.mount("none", Path.cwd(), "tmpfs", 0)
        linux.unmount(Path.cwd())
    except OSError:
        return False
    return True


def _build_root(spec: Spec) -> None:
    """A root with nothing in it but what is shown, for this process and the server."""
    root = Path(spec.folder) / "root"
    root.mkdir(exist_ok=True)
    linux.mount_empty(root, "mode=755,size=1m")
    (root / "tmp").mkdir()  # first: what is shown may lie in it
    linux.mount_empty(root / "tmp", f"mode=1777,size={WORK_MB}m", more=linux.NO_EXEC)
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
        linux.show(f"/dev/{device}", target, read_only=False)
    (root / "proc").mkdir(exist_ok=True)
    with contextlib.suppress(OSError):  # some containers do not let it be mounted; nothing needs it
        linux.mount_proc(root / "proc")
    linux.change_root(root)


def _system() -> list[str]:
    """Where shared libraries are."""
    return ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"]


def _show(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if path.is_dir():
        target.mkdir(exist_ok=True)
    else:
        target.touch()
    linux.show(path, target, with_mounts=True)


def _turn_into_server(
    spec: Spec,
    command: list[str],
    log: int,
    isolated: bool,
    listening: socket.socket | None,
    refused: Sequence[seccomp.Refuse] | None,
) -> None:
    """Execute the server in this process: limits, a user of its own, no secrets, no system calls that are refused."""
    linux.end_with_parent(signal.SIGKILL)
    nothing = os.open("/dev/null", os.O_RDONLY)
    for number, source in ((0, nothing), (1, log), (2, log)):
        os.dup2(source, number)
    linux.set_limits(
        {
            # Address space is cheap, and TensorFlow reserves some that it never uses; what is really used is watched.
            resource.RLIMIT_AS: (spec.memory_mb * 2 + 6144) * 2**20,
            resource.RLIMIT_DATA: (spec.memory_mb + 2048) * 2**20,
            resource.RLIMIT_FSIZE: WORK_MB * 2**20,
            resource.RLIMIT_CPU: spec.cpu_s,
            resource.RLIMIT_NOFILE: 256,
            resource.RLIMIT_NPROC: 512,
        },
        first_to_end=900,
    )
    os.chdir("/" if isolated else spec.folder)
    if os.geteuid() == 0:
        linux.set_user(spec.uid)
    elif isolated:
        linux.drop_capabilities()
    linux.gain_nothing()
    linux.end_with_parent(signal.SIGKILL)  # a change of user cleared it
    if listening is not None:
        os.dup2(listening.fileno(), _LISTENING)
        os.set_inheritable(_LISTENING, True)  # it may have been there
    os.closerange(_LISTENING + (listening is not None), 256)
    if refused is not None:
        seccomp.install(refused)
    os.execve(command[0], command, spec.environment)  # noqa: S606


if __name__ == "__main__":
    sys.exit(main())
