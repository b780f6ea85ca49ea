"""A recipe tried on one batch, before anybody relies on it.

It is code that a user brought, so it runs as a machine does: in a sandboxed child, with limits of time and memory, that
says how it went in ``result.json``.
"""

import ast
import contextlib
import json
import os
import re
import secrets
import signal
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from workbench import packages, recipes
from workbench.errors import NotFound, RecipeError, Unavailable, WorkbenchError
from workbench.lineage import DatasetPin
from workbench.machines import Layout, Machine, Place, Provider, machine_folder
from workbench.machines.local.provider import LocalProvider, default_limits
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.system import untrusted_changes, wire
from workbench.system.untrusted_folders import read, read_end, read_part, size_of
from workbench.system.worked_time import WorkedTime

TIMEOUT_S = 240.0
"""Of work: what others keep the child waiting for a core is not counted."""
MOST_S = 3600.0
"""In all, however busy the computer is."""
POLL_S = 0.05
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


@dataclass(frozen=True)
class Checked:
    """What the dry run found.

    Attributes
    ----------
    examples, test_examples
        In the training part, validation included, and in the test part; ``None`` where that is not known.
    input_shape, output_shape
        Of one example.
    steps_per_epoch
        Batches in an epoch.
    parameters, largest
        Of the model, and of its largest variable.
    epochs, batch_size
        As the recipe says.
    step_s
        Seconds that one step took here, on one machine, while whatever else ran beside it.
    held_out
        The digest of the test part that ``load_data`` gave.
    """

    examples: int | None
    test_examples: int
    input_shape: tuple[int, ...]
    output_shape: tuple[int, ...]
    steps_per_epoch: int
    parameters: int
    largest: int
    epochs: int
    batch_size: int
    step_s: float
    held_out: str = ""


def check(
    recipe: Recipe,
    settings: Settings,
    *,
    workers: int = 1,
    provider: LocalProvider | None = None,
    timeout_s: float = TIMEOUT_S,
    name: str | None = None,
    stop: Callable[[], bool] = lambda: False,
    datasets: Mapping[str, DatasetPin] | None = None,
) -> Checked:
    """Try the recipe: load its data, build its model, take one training step, evaluate a few examples.

    Parameters
    ----------
    name
        Of the check: there is one of this name at a time, a new one ends it.
    stop
        Asked all the time; once it says yes the check ends.
    datasets
        The versions of data sets to use; the newest of those that are not named.

    Raises
    ------
    RecipeError
        With the user's own field, line and traceback.
    Unavailable
        No child can be begun, or a data set cannot be had.
    Stopped
        ``stop`` said so.
    """
    recipes.check(recipe)
    fetch_data(recipe, settings)
    needed = fetch_packages(recipe, settings, stop)
    with _folder(settings, name or f"check-{secrets.token_hex(8)}") as folder:
        recipe.write(folder / "recipe", settings.recipe_files)
        task = Task("recipe", workers, datasets=datasets or {}, packages=needed)
        return run_child(folder, task, Checked, provider or LocalProvider(settings), timeout_s, stop)


def fetch_packages(recipe: Recipe, settings: Settings, stop: Callable[[], bool] = lambda: False) -> str:
    """Lock and install what the recipe needs besides ours, for machines have no way out; the name of the lock.

    Raises
    ------
    RecipeError, Unavailable
        They cannot be had; nothing was started.
    Stopped
        ``stop`` said so.
    """
    try:
        return packages.provide(recipe.requirements, settings.packages, stop)
    except packages.Stopped as error:
        raise Stopped(str(error)) from error


def fetch_data(recipe: Recipe, settings: Settings) -> None:
    """Fetch or draw the data sets that the recipe names: machines have no way out, and may not write where they are kept.

    Raises
    ------
    Unavailable
        One of them cannot be had.
    """
    from workbench import datasets  # NumPy comes with it, which a machine that only serves the page has not

    texts = {
        n.value
        for t in recipes.trees(recipe).values()
        for n in ast.walk(t)
        if isinstance(n, ast.Constant) and isinstance(n.value, str)
    }
    for name in sorted(texts & set(datasets.NAMES)):
        if not datasets.is_here(name, settings):
            datasets.load(name, settings)


def find_place(text: str, folder: Path) -> tuple[str, int] | None:
    """The innermost place in the recipe, as field and line, that a stack of ``faulthandler`` shows.

    >>> find_place('File "/j/machines/worker-0/recipe/helpers.py", line 3 in f', Path("/j"))
    ('helpers', 3)
    """
    match = re.search(f'File "{_recipe(folder)}' + r'(helpers|preprocessing|training)\.py", line (\d+)', text)
    return (match[1], int(match[2])) if match else None


def shorten(text: str, folder: Path) -> str:
    """The text with the recipe's files called as the user knows them: ``training.py``.

    >>> shorten("/j/recipe/training.py and /j/machines/ps-0/recipe/helpers.py", Path("/j"))
    'training.py and helpers.py'
    >>> shorten('File "/opt/workbench/jobs/7/machines/ps-0/recipe/training.py"', Path("/home/jobs/7"))
    'File "training.py"'
    """
    return re.sub(_recipe(folder), "", text)


def _recipe(folder: Path) -> str:
    """The folder of a job's recipe, or of a machine's own copy, here or elsewhere, as a regular expression."""
    elsewhere = rf"/[^\s\"']*/jobs/{re.escape(folder.name)}"
    return rf"(?:{re.escape(str(folder))}|{elsewhere})/(?:machines/[a-z]+-[0-9]+/)?recipe/"


def ask_where(machine: Machine, folder: Path, wait_s: float = 2.0, provider: Provider | None = None) -> str:
    """What each thread of a machine's process is doing, as Python prints stacks; empty if it does not say.

    Parameters
    ----------
    provider
        Whose the machine is, where that is no process of this computer.
    """
    log = f"{machine_folder(Path(), machine.place)}/stderr.log"
    size = size_of(folder, log)
    if machine.pid is None:
        return ""
    with contextlib.suppress(ProcessLookupError, NotFound, Unavailable):
        if provider is None:
            os.kill(machine.pid, signal.SIGUSR1)
        else:
            provider.run(machine, "kill", "-USR1", str(machine.pid))
    give_up = time.monotonic() + wait_s
    while time.monotonic() < give_up:
        if size_of(folder, log) > size:
            time.sleep(POLL_S)
            with contextlib.suppress(OSError):
                return read_part(folder, log, size, 100_000).data.decode(errors="replace")
        time.sleep(POLL_S)
        if provider is not None:
            with contextlib.suppress(Unavailable):
                provider.collect(machine.cluster, folder)
    return ""


def last_lines(folder: Path, place: Place, count: int = 5) -> str:
    """The last lines of a machine's ``stderr.log`` that say something; empty if there are none."""
    text = read_end(folder, f"{machine_folder(Path(), place)}/stderr.log", 8192).data.decode(errors="replace")
    lines = [line.rstrip() for line in text.splitlines()]
    return "\n".join([line for line in lines if line.strip()][-count:])


@contextlib.contextmanager
def _folder(settings: Settings, name: str) -> Iterator[Path]:
    jobs = settings.home / "jobs"
    untrusted_changes.remove(jobs, name)
    (jobs / name).mkdir(parents=True)
    try:
        yield jobs / name
    finally:
        untrusted_changes.remove(jobs, name)


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
            (machine,) = provider.machines(name)
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
