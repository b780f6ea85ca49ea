"""A process that has imported TensorFlow once and forks the clusters of this computer from itself.

``import tensorflow`` costs seconds of processor time and hundreds of megabytes; a fork costs neither. No operation
runs here before the fork, so TensorFlow has no threads yet that a child would miss. The process begins with the first
launch, ends when it was not needed for ``IDLE_S``, and is one for each home.
"""

import contextlib
import errno
import importlib
import json
import os
import select
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import psutil

from workbench.errors import Unavailable
from workbench.machines import Place
from workbench.machines.local import sandbox
from workbench.machines.local.head import MARK, Cluster
from workbench.settings import PROJECT
from workbench.system import detached, linux
from workbench.system.control_socket import ask, listen, read_line
from workbench.system.endings import last_line
from workbench.system.linux import MACHINE_UIDS
from workbench.system.locks import locked

FULL, USER, NONE = "namespaces and an own user", "an own user", "none"
CLUSTER, PLACE = ".warm", Place("warm", 0)
"""What its mark says."""
IDLE_S = 900.0
FORK_TIMEOUT_S = 30.0
START_TIMEOUT_S = 180.0
MARK_ROOM = 512
"""Bytes kept free in the environment for the marks of those who are forked."""
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")


def mark(home: Path, name: str, place: Place) -> str:
    """The value of ``WORKBENCH_MACHINE`` for a process; unlike that of any other home's."""
    return f"{name}/{place.role}/{place.index}@{home}"


def folder_of(home: Path) -> Path:
    """Where the warm process has its socket."""
    return home / "clusters" / ".warm"


def environment() -> dict[str, str]:
    """What every machine gets of the environment: nothing of tokens, of the database or of a cloud's credentials."""
    return {
        **{name: os.environ[name] for name in KEPT if name in os.environ},
        "GRPC_FAIL_FAST": "use_caller",
        "KERAS_BACKEND": "tensorflow",
        "OPENBLAS_NUM_THREADS": "1",
        "PYTHONUNBUFFERED": "1",
        "TF_CPP_MIN_LOG_LEVEL": "2",
    }


def request(home: Path, asked: dict[str, Any], timeout_s: float = 60.0) -> dict[str, Any]:
    """Ask the warm process of the home.

    Raises
    ------
    Unavailable
        There is none, or what was asked failed.
    """
    try:
        answer = ask(folder_of(home), asked, timeout_s)
    except (OSError, ValueError) as error:
        raise Unavailable(f"the warm process does not answer: {error}; {last_words(home)}") from error
    if "error" in answer:
        raise Unavailable(f"the machines cannot be begun: {answer['error']}")
    return answer


def begin(home: Path, modules: Sequence[str]) -> dict[str, Any]:
    """Have the warm process of the home ready for a while longer; give what it says of itself.

    One that has other modules in memory, or an older state of our code, is replaced; its clusters go on.

    Raises
    ------
    Unavailable
        It cannot be begun.
    """
    folder = folder_of(home)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (folder, folder.parent):
        path.chmod(0o700)
    with locked(folder.parent / ".warm.lock"):
        with contextlib.suppress(OSError, ValueError, KeyError):
            there = ask(folder, {"do": "keep"}, 10)
            if not there["stale"] and there["modules"] == list(modules):
                return there
            ask(folder, {"do": "end"}, 10)
        return _begin(home, modules)


def log_of(home: Path) -> Path:
    return home / "logs" / "warm.log"


def last_words(home: Path) -> str:
    """The last line of the warm process' log."""
    said = last_line(log_of(home))
    return f"its last words: {said} (log: {log_of(home)})" if said else "it said nothing"


def _begin(home: Path, modules: Sequence[str]) -> dict[str, Any]:
    log_of(home).unlink(missing_ok=True)
    own_mark = mark(home, CLUSTER, PLACE)
    pid = detached.start(
        [sys.executable, "-m", "workbench.machines.local.fork_server", str(home), *modules],
        {
            **environment(),
            "HOME": str(folder_of(home)),  # Keras makes a folder in it
            "PYTHONPATH": os.pathsep.join(sys.path),
            # The mark comes last and is longer than it need be: see ``linux.write_environment``.
            MARK: own_mark.ljust(MARK_ROOM),
        },
        log_of(home),
        PROJECT,
    )
    give_up = time.monotonic() + START_TIMEOUT_S
    while True:
        with contextlib.suppress(OSError, ValueError):
            there = ask(folder_of(home), {"do": "keep"}, 10)
            if there["pid"] == pid:
                return there
        if not psutil.pid_exists(pid):
            raise Unavailable(f"the warm process ended while it began; {last_words(home)}")
        if time.monotonic() > give_up:
            os.kill(pid, signal.SIGKILL)
            raise Unavailable(
                f"the warm process was not ready after {START_TIMEOUT_S:.0f} s; {last_words(home)}"
            )
        time.sleep(0.02)


class Warm:
    """The loop of the warm process."""

    def __init__(self, home: Path, modules: Sequence[str]) -> None:
        self.home = home
        self.modules = list(modules)
        for module in modules:
            importlib.import_module(module)
        self.code = {path: path.stat().st_mtime_ns for path in _our_files()}
        self.isolation, self.why_not = self._find_isolation()
        self.control = listen(folder_of(home))
        self.needed = time.monotonic()
        self.ending = False

    def serve(self) -> None:
        """Answer until asked to end or until nobody asked for long."""
        linux.adopt_orphans()  # clusters are grandchildren whose parent is gone at once
        wake, woken = socket.socketpair()
        for end in (wake, woken):
            end.setblocking(False)
        signal.set_wakeup_fd(woken.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGTERM, self._end)
        while not self.ending and time.monotonic() - self.needed < IDLE_S:
            ready, _, _ = select.select([self.control, wake], [], [], 60)
            if wake in ready:
                wake.recv(4096)
            with contextlib.suppress(ChildProcessError):
                while os.waitpid(-1, os.WNOHANG)[0]:
                    pass
            if self.control in ready:
                self._answer()

    def _end(self, number: int, frame: Any) -> None:
        self.ending = True

    def _answer(self) -> None:
        connection, _ = self.control.accept()
        with connection:
            connection.settimeout(5)
            try:
                request = json.loads(read_line(connection))
                answer = getattr(self, f"_do_{request['do']}")(request)
            except Exception as error:
                traceback.print_exc()
                answer = {"error": f"{type(error).__name__}: {error}"}
            with contextlib.suppress(OSError):
                connection.sendall(json.dumps(answer).encode() + b"\n")

    def _do_keep(self, request: dict[str, Any]) -> dict[str, Any]:
        self.needed = time.monotonic()
        return {
            "pid": os.getpid(),
            "modules": self.modules,
            "stale": any(not p.exists() or p.stat().st_mtime_ns != t for p, t in self.code.items()),
            "isolation": self.isolation,
            "why_not": self.why_not,
        }

    def _do_end(self, request: dict[str, Any]) -> dict[str, Any]:
        self.ending = True
        return {}

    def _do_launch(self, request: dict[str, Any]) -> dict[str, Any]:
        self.needed = time.monotonic()
        name = request["name"]
        self._fork(
            lambda: Cluster(
                control=listen(self.home / "clusters" / name),
                places=[Place(*place) for place in request["places"]],
                limits=sandbox.Limits(**request["limits"]),
                environment={**environment(), "USER": "machine", "WORKBENCH_HOME": str(self.home)},
                mark=lambda place: mark(self.home, name, place),
            ),
            request["isolation"],
            request["uid"],
            mark(self.home, name, Place("cluster", 0)),
        )
        return {}

    def _find_isolation(self) -> tuple[str, str]:
        """The most of what ``sandbox`` has that works here, and what the system said to more than that."""
        if os.geteuid() != 0:
            return NONE, "it was not started by root"
        said = []
        for isolation in (FULL, USER):
            try:
                self._fork(_Trial, isolation, MACHINE_UIDS[0], mark(self.home, CLUSTER, Place("trial", 0)))
            except OSError as error:
                said.append(error.strerror or str(error))
            else:
                return isolation, said[0] if said else ""
        return NONE, "; ".join(said)

    def _fork(self, make: Callable[[], "Cluster | _Trial"], isolation: str, uid: int, own_mark: str) -> None:
        """Begin a cluster's first process; return once it serves.

        Raises
        ------
        OSError
            It cannot be isolated; the message says at which step.
        """
        heard, says = os.pipe()
        between = os.fork()  # a process namespace begins with the next child
        if between == 0:
            try:
                os.setsid()
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGTERM, signal.SIG_DFL)
                cluster = make()
                linux.close_all_but({says, *cluster.descriptors})
                linux.write_environment(MARK, own_mark)
                if isolation == FULL:
                    sandbox.unshare()
                if os.fork() == 0:
                    self._be(cluster, isolation, uid, says)
            except BaseException as error:
                traceback.print_exc()
                with contextlib.suppress(OSError):
                    os.write(says, _describe(error).encode()[:4000])
            finally:
                os._exit(0)
        os.close(says)
        try:
            os.waitpid(between, 0)
            ready, _, _ = select.select([heard], [], [], FORK_TIMEOUT_S)
            said = os.read(heard, 4096) if ready else b"it does not answer"
        finally:
            os.close(heard)
        if said != b"ready":
            raise OSError(errno.EPERM, said.decode(errors="replace") or "it ended at once")

    def _be(self, cluster: "Cluster | _Trial", isolation: str, uid: int, says: int) -> None:
        jobs = self.home / "jobs"
        if isolation == FULL:
            sandbox.hide(self.home, [*sandbox.needed(), *self._data()], [jobs])
        if isolation != NONE:
            sandbox.drop(uid)
            if isinstance(cluster, _Trial):
                cluster.check(self.home)
        linux.adopt_orphans()
        os.write(says, b"ready")
        os.close(says)
        cluster.serve()

    def _data(self) -> list[Path]:
        """The folder of the data sets, and where its links lead."""
        data = self.home / "data"
        return [data, *{path.resolve().parent for path in data.iterdir() if path.is_symlink()}]


class _Trial:
    """Stands for a cluster where only the isolation is tried."""

    descriptors: tuple[int, ...] = ()

    def check(self, home: Path) -> None:
        """Raise ``PermissionError`` if a machine could not read what it needs."""
        files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
        for path in (str(home / "data"), sys.executable, *filter(None, files)):
            if not os.access(path, os.R_OK):
                raise PermissionError(f"{path} cannot be read by another user")
        if not os.access(home / "jobs", os.X_OK):
            raise PermissionError(f"{home / 'jobs'} cannot be entered by another user")

    def serve(self) -> None:
        pass


def _describe(error: BaseException) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(error)
    return f"{type(error).__name__}: {error}"


def _our_files() -> list[Path]:
    """The files of the project's code that this process has in memory."""
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    return [Path(file) for file in files if file and Path(file).is_relative_to(PROJECT / "workbench")]


if __name__ == "__main__":
    Warm(Path(sys.argv[1]), sys.argv[2:]).serve()
