"""Waiting for machines that a provider has none of just now: asked again at growing pauses, until somebody says that it is enough."""

import itertools
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

from workbench.errors import NoMachineFree

T = TypeVar("T")

PAUSES_S = (15.0, 30.0, 60.0, 120.0, 300.0)
"""Between two requests; from then on the last one again and again."""


def until_free(
    do: Callable[[], T],
    tell: Callable[[str], object],
    wait: Callable[[float], object] = time.sleep,
    *,
    most_s: float = float("inf"),
    pauses_s: Sequence[float] = PAUSES_S,
    how: str = "until there is one",
) -> T:
    """Do what needs machines; while none is free, tell so, wait, and do it again.

    Parameters
    ----------
    wait
        Lets so many seconds pass; whatever it raises ends the waiting.
    most_s
        The longest to wait in all.
    pauses_s
        Between the first requests; then the last one again and again.
    how
        When the asking ends, in words.

    Raises
    ------
    NoMachineFree
        None was within that time.
    """
    waited_s = 0.0
    for pause_s in itertools.chain(pauses_s, itertools.repeat(pauses_s[-1])):
        try:
            return do()
        except NoMachineFree as error:
            if waited_s + pause_s > most_s:
                raise
            tell(f"{error}; asked again in {pause_s:g} s, {how}")
        wait(pause_s)
        waited_s += pause_s
    raise AssertionError("repeat has no end")
