"""How a process ended, in words: its exit code, and the last line that it wrote."""

import signal
from pathlib import Path

LOOKED_AT = 8192
LONGEST = 300


def describe_code(code: int) -> str:
    """An exit code as ``subprocess`` has it, in words.

    >>> describe_code(-9)
    'signal SIGKILL'
    >>> describe_code(1)
    'exit code 1'
    """
    if code < 0:
        try:
            return f"signal {signal.Signals(-code).name}"
        except ValueError:
            return f"signal {-code}"
    return f"exit code {code}"


def last_line(log: Path, *, after: str = "") -> str:
    """The last line of a log that says something, at most ``LONGEST`` characters of it; empty if there is none.

    Parameters
    ----------
    after
        Prefer the last line that begins so, and give what follows.
    """
    try:
        with log.open("rb") as file:
            file.seek(max(0, file.seek(0, 2) - LOOKED_AT))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if after and (said := [line.removeprefix(after) for line in lines if line.startswith(after)]):
        return said[-1]
    return lines[-1][:LONGEST] if lines else ""
