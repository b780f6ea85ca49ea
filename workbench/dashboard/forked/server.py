"""The process that kernels are forked from: it imports what they need, once, and runs nothing.

``import tensorflow`` costs seven seconds of processor time and 600 MB; a fork costs neither. It opens no device and
starts no thread, so a fork misses nothing. Sockets, ports, loops and threads of a kernel are made after the fork.

The Jupyter server starts this process with a socket as its standard input (``client.py``); it ends when the other end is
closed. Asked to be out of the way by the closing of its half, it stays for its kernels' exit codes, and forks no more.
"""

import atexit
import contextlib
import gc
import importlib
import os
import select
import signal
import socket
import sys
import time
import warnings
from collections.abc import Sequence
from pathlib import Path

from workbench.dashboard.forked import kernel
from workbench.dashboard.forked.messages import Begun, Declined, Launch, Ready, receive, send
from workbench.settings import PROJECT
from workbench.system import priority


class ForkServer:
    """The loop of the process."""

    def __init__(self, modules: Sequence[str]) -> None:
        self._connection = socket.socket(fileno=os.dup(0))
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        self._dashboard = os.pidfd_open(os.getppid())
        for module in modules:
            importlib.import_module(module)
        self._code = _code()
        self._exits: dict[int, int] = {}
        """Kernel → the pipe that gets its exit code."""
        self._ended, wake = os.pipe()
        for end in (self._ended, wake):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda number, frame: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        self._wake = wake

    def serve(self) -> "kernel.Place | None":
        """Answer until the Jupyter server is gone; returns in each forked process too, with the kernel's place."""
        # What is there now is never garbage: looking through it would copy its pages into each kernel.
        gc.collect()
        gc.freeze()
        poll = select.poll()
        for descriptor in (self._connection.fileno(), self._ended, self._dashboard):
            poll.register(descriptor, select.POLLIN)
        priority.weigh_session("self", 0)  # from here on somebody waits for what it does
        send(self._connection, Ready(time.process_time()))
        listening = True
        while listening or self._exits:
            seen = {descriptor for descriptor, _ in poll.poll()}
            if self._dashboard in seen:
                break
            if self._ended in seen:
                os.read(self._ended, 4096)
                self._reap()
            if self._connection.fileno() in seen:
                try:
                    if place := self._answer():
                        return place
                except (EOFError, OSError):
                    poll.unregister(self._connection.fileno())
                    listening = False
        for pid in self._exits:
            os.killpg(pid, signal.SIGKILL)
        return None

    def _answer(self) -> "kernel.Place | None":
        launch, _ = receive(self._connection)
        assert isinstance(launch, Launch)
        if changed := next((path for path, then in self._code.items() if _changed(path) != then), None):
            send(self._connection, Declined(f"{changed} has changed", stale=True))
        elif not os.access(launch.folder, os.X_OK):
            send(self._connection, Declined(f"{launch.folder} cannot be entered"))
        else:
            return self._fork(launch)
        return None

    def _fork(self, launch: Launch) -> "kernel.Place | None":
        exits, code = os.pipe()
        begins, begun = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.setsid()
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT):
                signal.signal(number, signal.SIG_DFL)
            self._connection.close()
            for descriptor in (exits, code, begins, begun, self._ended, self._wake, *self._exits.values()):
                os.close(descriptor)
            return kernel.Place(launch, self._dashboard)
        os.close(begun)
        os.read(begins, 1)  # it has a session of its own: signals to its group find it
        os.close(begins)
        self._exits[pid] = code
        process = os.pidfd_open(pid)
        try:
            send(self._connection, Begun(pid), (process, exits))
        finally:
            os.close(process)
            os.close(exits)
        return None

    def _reap(self) -> None:
        while self._exits:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if code := self._exits.pop(pid, None):
                with contextlib.suppress(BrokenPipeError):
                    os.write(code, str(os.waitstatus_to_exitcode(status)).encode())
                os.close(code)


def _code() -> dict[str, int | None]:
    """What this process stands on, with the time of its last change: our files, and the folders of packages.

    To install, change or remove a package changes the folder that it is in.
    """
    files = [getattr(module, "__file__", None) for module in list(sys.modules.values())]
    ours = {file for file in files if file and Path(file).is_relative_to(PROJECT / "workbench")}
    packages = {folder for folder in sys.path if Path(folder).name in ("site-packages", "dist-packages")}
    return {path: _changed(path) for path in sorted(ours | packages)}


def _changed(path: str) -> int | None:
    try:
        return Path(path).stat().st_mtime_ns
    except OSError:
        return None


def _main(modules: Sequence[str]) -> None:
    place: kernel.Place | None = None
    # Registered first, so called last: to take TensorFlow apart would copy most of its memory first.
    atexit.register(lambda: place.end() if place else None)
    priority.weigh_session("self", priority.BACKGROUND)
    # Python warns of threads at a fork; the only ones here are OpenBLAS', which ends them before and begins anew after.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    place = ForkServer(modules).serve()
    if place:
        place.run()


if __name__ == "__main__":
    _main(sys.argv[1:])
