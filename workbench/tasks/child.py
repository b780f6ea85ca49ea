"""A sandboxed child that does one task with a user's code, with limits of time and memory, and says how it went in ``result.json``."""

import json
import signal
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from workbench.errors import RecipeError, Unavailable, WorkbenchError
from workbench.lineage import DatasetPin
from workbench.machines import Layout, Machine
from workbench.machines.local.provider import LocalProvider, default_limits
from workbench.system import processes, untrusted_changes, wire
from workbench.system.untrusted_folders import read
from workbench.system.worked_time import WorkedTime
from workbench.tasks.tracebacks import ask_where, find_place, last_lines, shorten

TIMEOUT_S = 240.0
"""Of work: what others keep the child waiting for a core is not counted."""
MOST_S = 3600.0
"""In all, however busy the computer is."""
POLL_S = 0.05
LOOK_S = 1.0
"""At the latest, what the provider says of the child is asked anew: it looks at every process of the computer."""
TRIAL = "workbench.node.trial"
"""What the child does."""
KILLS = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP)
"""With which a process is ended from outside."""
RESULT = "result.json"
MAX_RESULT = 10_000_000

T = TypeVar("T")


@dataclass(frozen=True)
class Task:
    """``task.json``: what the child does.

    Attributes
    ----------
    do
        Try the ``recipe``, measure the ``version`` in ``export/``, or load the ``data`` once more.
    held_out, expected
        To measure a version: the file with the held-out part, and its digest; empty if any will do.
    """

    do: str
    workers: int = 1
    held_out: str = ""
    expected: str = ""
    datasets: Mapping[str, DatasetPin] = field(default_factory=dict)
    packages: str = ""
    """The name of the lock of what the recipe needs besides ours."""


@dataclass(frozen=True)
class _Blamed:
    """The user's own error."""

    message: str
    field: str | None
    line: int | None
    traceback: str


@dataclass(frozen=True)
class _Said:
    """``result.json``, but for what was found."""

    error: _Blamed | None = None


class _Killed(RecipeError):
    """The child was ended by a signal that is not a fault of its own code's making."""


class Stopped(WorkbenchError):
    """A check was asked to end before it was done."""


def task_of(folder: Path) -> str:
    """The name of the cluster in which a folder is tried."""
    return f"task-{folder.name}"


def run_child(
    folder: Path,
    task: Task,
    kind: type[T],
    provider: LocalProvider,
    timeout_s: float,
    stop: Callable[[], bool],
    late: str = "the recipe was not done with its first batch",
) -> T:
    """Let a child do the task; what it found, in a value of this kind.

    Parameters
    ----------
    late
        What is said of a child that worked too long.

    Raises
    ------
    RecipeError
        The child said so, or ended without a word, or worked too long.
    Unavailable
        No child can be begun, or the computer is too busy.
    Stopped
    """
    try:
        return _run_once(folder, task, kind, provider, timeout_s, stop, late)
    except _Killed:  # by somebody, or by the system: that says nothing of the recipe
        return _run_once(folder, task, kind, provider, timeout_s, stop, late)


def _run_once(
    folder: Path,
    task: Task,
    kind: type[T],
    provider: LocalProvider,
    timeout_s: float,
    stop: Callable[[], bool],
    late: str,
) -> T:
    name = task_of(folder)
    untrusted_changes.remove(folder, RESULT)
    untrusted_changes.write(folder, "task.json", json.dumps(wire.pack(task)).encode())
    provider.terminate(name)  # one that was killed may have left it
    try:
        (machine,) = provider.launch_task(name, folder, TRIAL, default_limits(Layout()))
        worked, begun = WorkedTime(machine.pid or 0), time.monotonic()
        looked = begun
        while machine.state == "running":
            if worked.seconds() > timeout_s:
                raise _too_long(machine, folder, timeout_s, late)
            if time.monotonic() - begun > (most_s := max(MOST_S, 4 * timeout_s)):
                raise Unavailable(
                    f"{late} after {most_s / 60:.0f} minutes, so busy is this computer; try again when it has less "
                    "to do"
                )
            if stop():
                raise Stopped(f"the check of {folder.name} was stopped")
            time.sleep(POLL_S)
            if time.monotonic() - looked >= LOOK_S or machine.pid is None or not processes.lives(machine.pid):
                looked, (machine,) = time.monotonic(), provider.machines(name)
        try:
            told = json.loads(read(folder, RESULT, MAX_RESULT))
            said = wire.unpack(_Said, told)
            if said.error is None:
                return wire.unpack(kind, told["found"])
        except (
            OSError,
            ValueError,
            KeyError,
            TypeError,
            RecursionError,
        ) as error:  # it left none, or none that can be read
            raise _crashed(machine, folder) from error
    finally:
        provider.terminate(name)
    message, traceback = (shorten(text, folder) for text in (said.error.message, said.error.traceback))
    raise RecipeError(message, field=said.error.field, line=said.error.line, traceback=traceback)


def _too_long(machine: Machine, folder: Path, timeout_s: float, late: str) -> RecipeError:
    stack = ask_where(machine, folder)
    place = find_place(stack, folder)
    field, line = place or (None, None)
    at = f"{field}, line {line}: " if place else ""
    return RecipeError(
        f"{at}{late} after {timeout_s:.0f} s of work",
        field=field,
        line=line,
        traceback=shorten(stack, folder),
    )


def _crashed(machine: Machine, folder: Path) -> RecipeError:
    words = last_lines(folder, machine.place, 30)
    place = find_place(words, folder)
    field, line = place or (None, None)
    told, error = "the recipe's code ended the process it ran in", RecipeError
    if machine.exit and not machine.exit.reason and -machine.exit.code in KILLS:
        told, error = "the process was killed twice, by somebody or for want of memory", _Killed
    ended = machine.exit or "nobody knows how"
    return error(f"{told}: {ended}", field=field, line=line, traceback=shorten(words, folder))
