"""Why a job failed, in words, blamed on one machine and, where it can be found, a line of the recipe."""

import shutil
import time
from dataclasses import replace
from pathlib import Path

from workbench.events import Error
from workbench.machines import Place
from workbench.runner.attempt import Workplace
from workbench.runner.faults import Fail, Hangs
from workbench.tasks import tracebacks


def blame(
    place: Place, message: str, field: str | None = None, line: int | None = None, traceback: str = ""
) -> Error:
    """An error of a machine, now."""
    return Error(time.time(), place.role, place.index, message, field, line, traceback)


def explain_failure(failure: Fail, workplace: Workplace) -> Error:
    """What a machine that ended said itself, else its last words."""
    if failure.error is not None:
        return replace(failure.error, message=failure.message)
    folder = workplace.folder
    words = tracebacks.last_lines(folder, failure.place, 20)
    field, line = tracebacks.find_place(words, folder) or (None, None)
    return blame(failure.place, f"{failure.message}; {_last_words(words, folder)}", field, line, words)


def explain_silence(silence: Hangs, workplace: Workplace) -> Error:
    """Blame a machine that hangs in the recipe's code; where none does, the leading one."""
    provider, folder = workplace.provider, workplace.folder
    running = [m for m in provider.machines(workplace.cluster) if m.state == "running"]
    asked = (10.0, provider) if provider.independent else (2.0, None)
    stacks = {machine.place: tracebacks.ask_where(machine, folder, *asked) for machine in running}
    where = {place: tracebacks.find_place(stack, folder) for place, stack in stacks.items()}
    # A worker that hangs is rather the cause than a chief that waits for it in the same code.
    guilty = next((place for place in sorted(where, reverse=True) if where[place]), workplace.layout.leader)
    field, line = where.get(guilty) or (None, None)
    at = f" in {field}, line {line}" if field else ""
    message = f"nothing was heard of any machine for {silence.silent_s:.0f} s; {guilty} hangs{at}"
    return blame(guilty, message, field, line, stacks.get(guilty, ""))


def _last_words(words: str, folder: Path) -> str:
    if words:
        return f"its last words: {words.splitlines()[-1]}"
    full = shutil.disk_usage(folder).free < 1024 * 1024
    return "it left no words" + (", and the disk is full" if full else "")
