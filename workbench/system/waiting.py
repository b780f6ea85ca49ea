"""Waiting for what another process does: looked at again and again, for so long and no longer."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from workbench.errors import Unavailable

T = TypeVar("T")

SLOWER = 1.4
"""Each pause is so much longer than the one before, where pauses grow."""


@dataclass(frozen=True)
class Clock:
    """Where the time comes from; tests pass another."""

    now: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep


REAL = Clock()


def wait_until(
    look: Callable[[], T],
    timeout_s: float,
    every_s: float,
    late: str | Callable[[], str],
    *,
    longest_s: float | None = None,
    clock: Clock = REAL,
) -> T:
    """Look until something true is found, at least once; give it.

    Parameters
    ----------
    late
        The message if it does not come in time.
    longest_s
        Up to which the pauses grow, from ``every_s`` on; they do not if ``None``.

    Raises
    ------
    Unavailable
        Nothing came in time.
    """
    give_up, pause_s = clock.now() + timeout_s, every_s
    while not (found := look()):
        if clock.now() >= give_up:
            raise Unavailable(late if isinstance(late, str) else late())
        clock.sleep(pause_s)
        if longest_s is not None:
            pause_s = min(pause_s * SLOWER, longest_s)
    return found


def comes_true(
    condition: Callable[[], object], timeout_s: float, every_s: float, *, clock: Clock = REAL
) -> bool:
    """Wait until the condition holds; false where it does not in time."""
    try:
        wait_until(condition, timeout_s, every_s, "late", clock=clock)
    except Unavailable:
        return False
    return True
