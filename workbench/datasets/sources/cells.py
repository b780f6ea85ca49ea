"""What the cells of a column are: guessed from all of them, one by one, and then turned into what is kept."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import numpy as np

from workbench.datasets.kept.values import CATEGORIES
from workbench.datasets.sources.numerals import number, readings, unit

_ERRORS = ("#n/a", "#div/0!", "#value!", "#ref!", "#num!", "#name?", "#null!")
"""Written by spreadsheets where a formula gave nothing."""
MISSING = frozenset({"", "na", "n/a", "nan", "null", "none", "?", "-", "nil", "missing", *_ERRORS})
"""Words for nothing, in small letters."""
_FORMATS = ("iso", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d.%m.%Y %H:%M", "%m/%d/%Y %H:%M")
_DAY_S = 86_400


def is_missing(text: str) -> bool:
    """Whether a cell says that it has no value.

    >>> is_missing(" N/A "), is_missing("0")
    (True, False)
    """
    return text.strip().lower() in MISSING


def date(text: str, form: str) -> float:
    """Days since 1970 of a date; raises ``ValueError``.

    >>> date("1970-01-03", "iso"), date("2.1.1970", "%d.%m.%Y")
    (2.0, 1.0)
    """
    text = text.strip()
    if form == "iso":
        if len(text) < 8 or "-" not in text[1:]:
            raise ValueError("no date")
        found = datetime.fromisoformat(text)
    else:
        found = datetime.strptime(text, form)
    return found.replace(tzinfo=found.tzinfo or UTC).timestamp() / _DAY_S


class Guess:
    """What a column may still be after each cell that was seen.

    Parameters
    ----------
    comma
        Whether a comma begins the fraction of its numbers, where they do not tell themselves.
    """

    def __init__(self, comma: bool = False) -> None:
        self.seen = self.missing = 0
        self.numbers = self.others = 0
        """Cells that are numbers, and those that are not; no longer counted once they are many."""
        self.other = ""
        """The first that is no number."""
        self._forms = [comma, not comma]
        self._fractions = set[bool]()
        self._units = set[str]()
        self._dates = list(_FORMATS)
        self.values: Counter[str] | None = Counter()
        self.length = 0

    def add(self, cells: Sequence[str]) -> None:
        """Look at some cells."""
        for cell in cells:
            text = cell.strip()
            self.seen += 1
            if text.lower() in MISSING:
                self.missing += 1
                continue
            self.length += len(text)
            if self.values is not None:
                self.values[text[:200]] += 1
                if (len(self.values) > 4 * CATEGORIES and self.others) or len(self.values) > 10_000:
                    self.values = None
            if self.others <= 20 or self.others < self.numbers:
                self._look_at_number(text)
            if self._dates and not self.is_number:
                self._dates = [form for form in self._dates if _is_date(text, form)]

    def _look_at_number(self, text: str) -> None:
        found = readings(text)
        forms = [form for form in self._forms if found[form] is not None]
        if found == (None, None):
            self.others += 1
            self.other = self.other or text[:40]
            return
        self.numbers += 1
        self._forms = forms
        if len(self._units) < 2:
            self._units.add(unit(text))
        for form, value in enumerate(found):
            if value is not None and not value.is_integer():
                self._fractions.add(bool(form))

    @property
    def comma(self) -> bool:
        """Whether a comma begins the fraction of its numbers."""
        return bool(self._forms) and self._forms[0]

    @property
    def present(self) -> int:
        """Cells that say something."""
        return self.seen - self.missing

    @property
    def is_number(self) -> bool:
        """Whether all are, written in one way and with one unit."""
        return self.numbers > 0 and not self.others and bool(self._forms) and len(self._units) == 1

    @property
    def is_whole(self) -> bool:
        return self.is_number and self.comma not in self._fractions

    @property
    def date_form(self) -> str | None:
        """How its dates are written, where they are dates."""
        return self._dates[0] if self._dates and not self.is_number and self.present else None

    @property
    def is_category(self) -> bool:
        """Few different values, each more than once on the average."""
        return (
            self.values is not None
            and 0 < len(self.values) <= CATEGORIES
            and 2 * len(self.values) <= self.present
        )

    @property
    def mean_length(self) -> float:
        """Characters of a cell."""
        return self.length / max(1, self.present)

    def categories(self) -> tuple[str, ...]:
        """Its values, in their order: numbers as such."""
        assert self.values is not None
        if self.is_number:
            return tuple(sorted(self.values, key=lambda text: number(text, self.comma)))
        return tuple(sorted(self.values))


def numbers(cells: Sequence[str], parse: Callable[[str], float]) -> np.ndarray:
    """The cells as float64, NaN where one is missing; raises ``ValueError`` with the cell."""
    return np.array([np.nan if is_missing(cell) else parse(cell) for cell in cells], np.float64)


def _is_date(text: str, form: str) -> bool:
    try:
        date(text, form)
    except (ValueError, OverflowError):
        return False
    return True
