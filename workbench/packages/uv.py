"""uv, which resolves and installs: found beside this Python, run apart from any project, its refusals put into words."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence

from workbench.errors import RecipeError, Unavailable, WorkbenchError
from workbench.packages.lines import FIELD, Requirement, normal

TIMEOUT_S = 1800.0
POLL_S = 0.05
MAX_REASON = 700
_NETWORK = (
    "error sending request",
    "Failed to fetch",
    "dns error",
    "operation timed out",
    "Connection refused",
    "Could not connect",
)
_DRAWN = re.compile(r"[×╰├─▶│╭╮╯]+")


class Stopped(WorkbenchError):
    """What was being fetched is not wanted any more."""


def run(
    arguments: Sequence[str], asked: Sequence[Requirement] = (), stop: Callable[[], bool] = lambda: False
) -> str:
    """What uv prints.

    Parameters
    ----------
    asked
        The lines that it is about, to blame one of them.

    Raises
    ------
    RecipeError
        There are no such packages, or they do not go together with what is here.
    Unavailable
        uv is not here, or the index cannot be reached.
    Stopped
        ``stop`` said so.
    """
    with (
        tempfile.TemporaryDirectory() as aside,
        tempfile.TemporaryFile("w+") as out,
        tempfile.TemporaryFile("w+") as said,
    ):
        process = subprocess.Popen(
            [_find(), "--no-progress", "--color", "never", *arguments, "--python", sys.executable],
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=said,
            cwd=aside,  # of no project, whose settings would count
            env={
                k: v
                for k, v in os.environ.items()
                if k not in ("VIRTUAL_ENV", "PYTHONPATH", "UV_PROJECT_ENVIRONMENT")
            },
        )
        try:
            give_up = time.monotonic() + TIMEOUT_S
            while process.poll() is None:
                if stop():
                    raise Stopped("the packages are not fetched any further")
                if time.monotonic() > give_up:
                    raise Unavailable(
                        f"the packages were not there after {TIMEOUT_S / 60:.0f} minutes; try again"
                    )
                time.sleep(POLL_S)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
        for file in (out, said):
            file.seek(0)
        if process.returncode == 0:
            return out.read()
        raise _refusal(said.read(), asked)


def _find() -> str:
    try:
        from uv import find_uv_bin  # the package that brings the program

        return str(find_uv_bin())
    except (ImportError, FileNotFoundError):
        pass
    if found := shutil.which("uv"):
        return found
    raise Unavailable("packages of recipes are installed by uv, which is not here; pip install uv")


def _refusal(said: str, asked: Sequence[Requirement]) -> WorkbenchError:
    words = " ".join(_DRAWN.sub(" ", said).split()).removeprefix("error: ")
    words = re.sub(r"^No solution found when resolving dependencies\S*(?: cause:)? ", "", words)
    short = words if len(words) <= MAX_REASON else words[:MAX_REASON] + " …"
    if any(sign in said for sign in _NETWORK):
        return Unavailable(f"the packages of the recipe cannot be fetched now: {short}")
    mentioned = [one for one in asked if re.search(rf"\b{re.escape(one.name)}\b", normal(words))]
    line = mentioned[0].line if mentioned else None
    place = f"{FIELD}, line {line}" if line else FIELD
    return RecipeError(
        f"{place}: these packages cannot be installed beside ours, as wheels: {short}", field=FIELD, line=line
    )
