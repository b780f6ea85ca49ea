"""The recipe's own part of an error."""

import re
import traceback
from pathlib import Path

from workbench.errors import RecipeError
from workbench.recipes import advice

MAX_REASON = 600
"""Characters of what TensorFlow says; it may list a whole batch."""
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_TOLD_FRAME = re.compile(r'File "([^"]+)", line (\d+), in (\w+)')


def explain(error: BaseException, folder: Path) -> RecipeError:
    """Find the recipe's own part of an error: the field, the line and a traceback without our frames."""
    text = str(error)
    # For an operation of a graph, TensorFlow says in its message where it was written.
    told = [
        traceback.FrameSummary(f, int(n), name) for f, n, name in dict.fromkeys(_TOLD_FRAME.findall(text))
    ]
    for stack in (traceback.extract_tb(error.__traceback__), told):
        frames = [frame for frame in stack if folder in Path(frame.filename).parents]
        if frames:
            break
    reason = _reason(text)
    what = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    if more := advice.explain_error(error):
        what += f" ({more})"
    if not frames:
        return RecipeError(what, traceback="".join(traceback.format_exception_only(error)))
    # The code's own file where there is one, the module beside it otherwise.
    place = Path(frames[-1].filename).relative_to(folder)
    field, line = place.with_suffix("").as_posix(), frames[-1].lineno
    lines = [*traceback.format_list(frames), f"{what}\n"]
    return RecipeError(f"{field}, line {line}: {what}", field=field, line=line, traceback="".join(lines))


def in_plain_words(text: str) -> str:
    """Take out what Keras says of a call that failed, without colours and without the call's arguments.

    >>> in_plain_words("Exception encountered when calling A.call().\\n\\n\\x1b[1mtoo short\\x1b[0m\\n\\nArguments received by …")
    'too short'
    """
    text = _COLOURS.sub("", text)
    if text.startswith("Exception encountered when calling ") and "\n\n" in text:
        text = text.partition("\n\n")[2].partition("\n\nArguments received by")[0]
    return text.strip()


def _reason(text: str) -> str:
    """Take out what an error says; of TensorFlow's messages with stacks in them, the part after the stacks."""
    text = in_plain_words(text)
    if not text.startswith(("in user code:", "Graph execution error:")):
        return text
    text = text.split("\nAdditional GRPC error information")[0]
    last = [part for part in text.split("\n\n") if part.strip()][-1]
    lines = [line.strip() for line in last.splitlines() if not line.lstrip().startswith("[[")]
    reason = re.sub(r"^[A-Z]\w*(Error|Exception): ", "", "\n".join(lines))
    return reason if len(reason) <= MAX_REASON else reason[:MAX_REASON] + " …"
