"""A process that has imported TensorFlow once and forks the clusters of this computer from itself.

``import tensorflow`` costs seconds of processor time and hundreds of megabytes; a fork costs neither. No operation
runs here before the fork, so TensorFlow has no threads yet that a child would miss. The process begins with the first
launch (``fork_client.py``), ends when it was not needed for ``IDLE_S``, and is one for each home.
"""

import contextlib
import errno
import importlib
import os
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

from workbench.machines import Place
from workbench.machines.local import fork_client, sandbox
from workbench.machines.local.head import Head
from workbench.machines.local.messages import FULL, NONE, USER, End, Keep, Launch, Standing
from workbench.machines.local.processes import MARK, PREWARMED, mark
from workbench.settings import CODE
from workbench.system.control_socket import Nothing, Reply, Route, Server, listen
from workbench.system.sandbox import linux
from workbench.system.sandbox.linux import MACHINE_UIDS

IDLE_S = 900.0
FORK_TIMEOUT_S = 30.0
TICK_S = 60.0


class ForkServer:
    """The loop of the process."""

    def __init__(self, home: Path, modules: Sequence[str]) -> None:
        self.home = home
        self.modules = tuple(modules)
        for module in modules:
            importlib.import_module(module)
        self.code = {path: path.stat().st_mtime_ns for path in _our_files()}
        self.isolation, self.why_not = self._find_isolation()
        routes = (Route(Keep, self._keep), Route(End, self._end), Route(Launch, self._launch))
        self.server = Server(listen(fork_client.folder_of(home)), routes, self._tick, TICK_S)
        self.needed = time.monotonic()

    def serve(self) -> None:
        """Answer until asked to end or until nobody asked for long."""
        linux.adopt_orphans()  # clusters are grandchildren whose parent is gone at once
        self.server.serve()

    def _tick(self) -> None:
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if time.monotonic() - self.needed >= IDLE_S:
            self.server.ending = True

    def _keep(self, asked: Keep, reply: Reply) -> None:
        self.needed = time.monotonic()
        stale = any(not p.exists() or p.stat().st_mtime_ns != t for p, t in self.code.items())
        reply(Standing(os.getpid(), self.modules, stale, self.isolation, self.why_not))

    def _end(self, asked: End, reply: Reply) -> None:
        self.server.ending = True
        reply(Nothing())

    def _launch(self, asked: Launch, reply: Reply) -> None:
        self.needed = time.monotonic()
        self._fork(
            lambda: Head(
                control=listen(self.home / "clusters" / asked.name),
                places=asked.places,
                limits=asked.limits,
                environment={
                    **fork_client.environment(),
                    "USER": "machine",
                    "WORKBENCH_HOME": str(self.home),
                },
                mark=lambda place: mark(self.home, asked.name, place),
            ),
            asked.isolation,
            asked.uid,
            mark(self.home, asked.name, Place("cluster", 0)),
        )
        reply(Nothing())

    def _find_isolation(self) -> tuple[str, str]:
        """The most of what ``sandbox`` has that works here, and what the system said to more than that."""
        if os.geteuid() != 0:
            return NONE, "it was not started by root"
        said = []
        for isolation in (FULL, USER):
            try:
                self._fork(_Trial, isolation, MACHINE_UIDS[0], mark(self.home, PREWARMED, Place("trial", 0)))
            except OSError as error:
                said.append(error.strerror or str(error))
            else:
                return isolation, said[0] if said else ""
        return NONE, "; ".join(said)

    def _fork(self, make: Callable[[], "Head | _Trial"], isolation: str, uid: int, own_mark: str) -> None:
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

    def _be(self, cluster: "Head | _Trial", isolation: str, uid: int, says: int) -> None:
        jobs = self.home / "jobs"
        if isolation == FULL:
            sandbox.hide(self.home, [*sandbox.needed(), *self._data(), self.home / "packages"], [jobs])
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
    return [Path(file) for file in files if file and Path(file).is_relative_to(CODE / "workbench")]


if __name__ == "__main__":
    ForkServer(Path(sys.argv[1]), sys.argv[2:]).serve()
