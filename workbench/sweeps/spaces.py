"""The values that each setting of a sweep may have: a list of them, or a range."""

import math
import random
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from workbench.errors import BadInput
from workbench.recipes.capitals import KNOWN, Capital, check_known, literal

GRID = 5
"""Points of a range in a grid, where no step says them."""
MOST = 1000
"""Values of one setting."""
MOST_SIGNS = 20_000
"""Characters of what is said of one setting."""
MOST_WHOLE = 2**53
"""Beyond it, not every whole number is one of its own to a computer."""
_NUMBER = r"[+-]?(?:\d++(?:_\d++)*+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?"
_RANGE = re.compile(rf"\s*({_NUMBER})\s*\.\.\s*({_NUMBER})\s*+(?::\s*(log|{_NUMBER}))?\s*", re.ASCII)


@dataclass(frozen=True)
class Choice:
    """Some values, any of Python's plain ones."""

    values: tuple[object, ...]

    def __str__(self) -> str:
        return ", ".join(map(repr, self.values))

    @property
    def grid(self) -> tuple[object, ...]:
        """Values that a grid tries."""
        return self.values

    @property
    def is_listed(self) -> bool:
        """Whether the values are named one by one."""
        return True

    def draw(self, chance: random.Random) -> object:
        """Draw one value, each as likely as any other."""
        return chance.choice(self.values)


@dataclass(frozen=True)
class Range:
    """Numbers from ``low`` to ``high``, both included.

    Attributes
    ----------
    whole
        Only whole numbers.
    log
        Drawn evenly by their logarithm.
    step
        Only every so many from ``low``; ``None`` for all of them.
    """

    low: float
    high: float
    whole: bool = False
    log: bool = False
    step: float | None = None

    def __str__(self) -> str:
        low, high = (f"{int(end)}" if self.whole else f"{end:g}" for end in (self.low, self.high))
        return f"{low}..{high}" + (":log" if self.log else f":{self.step:g}" if self.step else "")

    @property
    def grid(self) -> tuple[object, ...]:
        """Values that a grid tries: by the step, else all of few whole numbers, else ``GRID`` of them evenly."""
        if self.step:
            count = math.floor((self.high - self.low) / self.step + 1e-9) + 1
            return tuple(self.fit(self.low + n * self.step) for n in range(count))
        if self.whole and not self.log and self.high - self.low < GRID:
            return tuple(range(int(self.low), int(self.high) + 1))
        return tuple(dict.fromkeys(self._at(n / (GRID - 1)) for n in range(GRID)))

    @property
    def is_listed(self) -> bool:
        """Whether the values are named one by one."""
        return self.step is not None

    def draw(self, chance: random.Random) -> object:
        """Draw one value, each as likely as any other; of ``log``, each order of magnitude."""
        return chance.choice(self.grid) if self.step else self._at(chance.random())

    def share(self, value: float) -> float:
        """Where between its ends a value lies, 0 to 1."""
        if self.log:
            return (math.log(value) - math.log(self.low)) / self._magnitudes
        return (value - self.low) / (self.high - self.low)

    def _at(self, share: float) -> float:
        if self.log:
            return self.fit(math.exp(math.log(self.low) + share * self._magnitudes))
        return self.fit(self.low + share * (self.high - self.low))

    @property
    def _magnitudes(self) -> float:
        return math.log(self.high) - math.log(self.low)

    def fit(self, value: float) -> float:
        """The value as it is written into the recipe: four digits suffice to tell two of them apart."""
        value = min(max(float(f"{value:.4g}") if not self.whole else value, self.low), self.high)
        return round(value) if self.whole else value


Domain = Choice | Range
Space = Mapping[str, Domain]
"""What each setting may be, by its name."""


def parse_space(
    wanted: Mapping[str, str | Sequence[object]], there: Mapping[str, Capital]
) -> dict[str, Domain]:
    """Read what ``--set NAME=…`` says: ``64,128``, ``1e-4..1e-1:log``, ``0..0.5`` or ``16..256:16``.

    Parameters
    ----------
    wanted
        By setting: such a text, or a list of values.
    there
        The recipe's settings.

    Raises
    ------
    BadInput
        No such setting, or no such values.
    """
    if not wanted:
        raise BadInput(
            f"say what to try: --set NAME=VALUES; the recipe has: {', '.join(there) or 'no settings'}"
        )
    check_known(wanted, there)
    return {name: _parse(name, said, there.get(name)) for name, said in wanted.items()}


def _parse(name: str, said: str | Sequence[object], capital: Capital | None) -> Domain:
    now = capital.value if capital else 1  # the settings that the loop knows are whole numbers
    if isinstance(said, str):
        if len(said) > MOST_SIGNS:
            raise BadInput(f"{name}: values are at most {MOST_SIGNS:,} characters. Received: {len(said):,}")
        if found := _RANGE.fullmatch(said):
            return _range(name, said, now, *found.groups())
        values = _listed(name, said, now)
    else:
        values = list(said)
    values = [_as_float(v) if type(now) is float and type(v) is int else v for v in values]
    # By what is written, since 1, 1.0 and True are equal.
    values = list({repr(value): value for value in values}.values())
    for value in values:
        if literal(repr(value)) != value and value is not None:
            raise BadInput(
                f"{name}: a value is a number, a text, or a tuple or list of them. Received: {value!r}"
            )
        if (
            name in KNOWN
            and not (name == "PATIENCE" and value is None)
            and (type(value) is not int or value < 1)
        ):
            raise BadInput(f"{name} must be a whole number from 1. Received: {value!r}")
    if not 1 <= len(values) <= MOST:
        raise BadInput(f"{name} has 1 to {MOST} values. Received: {len(values)}")
    return Choice(tuple(values))


def _as_float(value: int) -> object:
    try:
        return float(value)
    except OverflowError:
        return math.inf  # refused as every other one that is not finite


def _listed(name: str, said: str, now: object) -> list[object]:
    parts = [part.strip() for part in said.split(",")]
    if isinstance(now, str):
        read = literal(f"[{said},]")
        if isinstance(read, list) and all(isinstance(one, str) for one in read):
            return list(read)
        values: list[object] = list(parts)
    elif isinstance(now, bool) and {part.lower() for part in parts} <= {"true", "false"}:
        values = [part.lower() == "true" for part in parts]
    else:
        read = literal(f"[{said},]")
        if not isinstance(read, list):
            raise BadInput(
                f"{name}={said[:80]}: write values as 64,128 or a range as 1e-4..1e-1:log (of texts: \"'adam','sgd'\"); "
                f"it is {now!r} in the recipe"
            )
        values = list(read)
    if "" in values:
        raise BadInput(f"{name}={said[:80]}: a value between two commas is missing")
    return values


def _range(name: str, said: str, now: object, first: str, last: str, how: str | None) -> Range:
    low, high = float(first), float(last)
    step = float(how) if how and how != "log" else None
    numbers = [first, last, *([how] if step is not None and how else [])]
    whole = not any(set(number) & set(".eE") for number in numbers) and type(now) is not float
    wrong = (
        "the first number must be the smaller one"
        if not low < high
        else "a logarithm needs numbers above 0"
        if how == "log" and low <= 0
        else "the step must be above 0 and fit into the range"
        if step is not None and not 0 < step <= high - low
        else f"it has more than {MOST} steps"
        if step is not None and (high - low) / step > MOST
        else f"whole numbers are at most {MOST_WHOLE:,}"
        if whole and max(-low, high) > MOST_WHOLE
        else "it is a text in the recipe"
        if isinstance(now, str | bool)
        else f"{name} must be whole numbers from 1"
        if name in KNOWN and (not whole or low < 1)
        else None
    )
    if wrong or not math.isfinite(high - low):
        raise BadInput(f"{name}={said[:80]}: {wrong or 'it has no end'}")
    return Range(low, high, whole, how == "log", step)
