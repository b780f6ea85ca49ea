"""The fork server of a home as others see it: begun where there is none, asked, and replaced when it is out of date."""

import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

import psutil

from workbench.errors import Unavailable
from workbench.machines.local import processes
from workbench.machines.local.messages import End, Keep, Launch, Standing
from workbench.settings import CODE
from workbench.system import detached, extras
from workbench.system.control_socket import Failed, Nothing, ask
from workbench.system.endings import last_line
from workbench.system.locks import locked
from workbench.system.waiting import Clock, wait_until
from workbench.system.worked_time import WorkedTime

SERVER = "workbench.machines.local.fork_server"
START_TIMEOUT_S = 180.0
MARK_ROOM = 512
"""Bytes kept free in the environment for the marks of those who are forked."""
KEPT = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "LD_LIBRARY_PATH")


def folder_of(home: Path) -> Path:
    """Where the fork server has its socket."""
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


def launch(home: Path, asked: Launch, timeout_s: float = 60.0) -> None:
    """Have the fork server begin a cluster's first process.

    Raises
    ------
    Unavailable
        There is no fork server, or it could not.
    """
    try:
        ask(folder_of(home), asked, Nothing, timeout_s)
    except (OSError, ValueError) as error:
        raise Unavailable(f"the prewarmed process does not answer: {error}; {_last_words(home)}") from error
    except Failed as error:
        raise Unavailable(f"the machines cannot be begun: {error}") from error


def begin(home: Path, modules: Sequence[str]) -> Standing:
    """Have the fork server of the home ready for a while longer; give what it says of itself.

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
        with contextlib.suppress(OSError, ValueError, Failed):
            there = _keep(home)
            if not there.stale and there.modules == tuple(modules):
                return there
            ask(folder, End(), Nothing, 10)
        return _begin(home, modules)


def _begin(home: Path, modules: Sequence[str]) -> Standing:
    if not extras.is_installed("train"):
        raise Unavailable(f"no machine can be started here: {extras.install('train')}")
    log = _log_of(home)
    log.unlink(missing_ok=True)
    own_mark = processes.mark(home, processes.PREWARMED, processes.PREWARMED_PLACE)
    pid = detached.start(
        [sys.executable, "-m", SERVER, str(home), *modules],
        {
            **environment(),
            "HOME": str(folder_of(home)),  # Keras makes a folder in it
            "PYTHONPATH": os.pathsep.join(sys.path),
            # The mark comes last and is longer than it need be: see ``linux.write_environment``.
            processes.MARK: own_mark.ljust(MARK_ROOM),
        },
        log,
        CODE,
    )

    def ready() -> Standing | None:
        with contextlib.suppress(OSError, ValueError, Failed):
            there = _keep(home)
            if there.pid == pid:
                return there
        if not psutil.pid_exists(pid):
            raise Unavailable(f"the prewarmed process ended while it began; {_last_words(home)}")
        return None

    def late() -> str:
        os.kill(pid, signal.SIGKILL)
        return (
            f"the prewarmed process was not ready after {START_TIMEOUT_S:.0f} s of work; {_last_words(home)}"
        )

    found = wait_until(ready, START_TIMEOUT_S, 0.02, late, clock=Clock(WorkedTime(pid).seconds))
    assert found is not None
    return found


def _keep(home: Path) -> Standing:
    return ask(folder_of(home), Keep(), Standing, 10)


def _log_of(home: Path) -> Path:
    return home / "logs" / "warm.log"


def _last_words(home: Path) -> str:
    said = last_line(_log_of(home))
    return f"its last words: {said} (log: {_log_of(home)})" if said else "it said nothing"
