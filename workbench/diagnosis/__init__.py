"""What works and what does not, found out before it costs: on this computer, and in an account of AWS.

A check looks, changes nothing, and says in one sentence what it saw and in another what mends it.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from workbench.errors import WorkbenchError

__all__ = ["Check", "Diagnosis", "run"]


@dataclass(frozen=True)
class Diagnosis:
    """What one check found."""

    check: str
    """Its name, as ``disk`` or ``quota of spot machines``."""
    ok: bool | None
    """``False`` where something needs doing; ``None`` where it cannot be told, or matters to some only."""
    said: str
    fix: str = ""
    """What to do; empty where nothing is to be done."""


Check = tuple[str, Callable[[], Diagnosis | Iterable[Diagnosis]]]
"""A check's name, and what does it."""


def run(checks: Iterable[Check], cannot_tell: tuple[type[WorkbenchError], ...] = ()) -> Iterator[Diagnosis]:
    """Run the checks one after the other and tell each finding as it comes; a check that fails is a finding too.

    Parameters
    ----------
    cannot_tell
        Errors by which a check learns nothing, rather than something bad.
    """
    for name, look in checks:
        try:
            found = look()
            yield from [found] if isinstance(found, Diagnosis) else found
        except WorkbenchError as error:
            said, _, fix = str(error).partition("; ")
            yield Diagnosis(name, None if isinstance(error, cannot_tell) else False, said, fix)
