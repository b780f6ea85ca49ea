"""The columns of a table whose rows a model takes as numbers: what a client sends of each, and the numbers that become of it."""

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Literal, NoReturn, cast, get_args

from workbench.errors import BadInput
from workbench.fields import Fields

ColumnKind = Literal["number", "flag", "date", "category"]
_EPOCH = date(1970, 1, 1)
_FLAGS = {"true": 1.0, "yes": 1.0, "1": 1.0, "false": 0.0, "no": 0.0, "0": 0.0}


@dataclass(frozen=True)
class InputColumn:
    """One column of the rows.

    Attributes
    ----------
    kind
        A ``date`` becomes days since 1970; a ``category`` as many numbers as there are, one of which is 1, none where it is missing.
    mean
        Of the training part: what stands for a number that is missing.
    may_miss
        Whether a number beside it says 1 where it is missing.
    """

    name: str
    kind: ColumnKind = "number"
    categories: tuple[str, ...] = ()
    mean: float = 0.0
    may_miss: bool = False

    @property
    def width(self) -> int:
        """How many numbers a value becomes."""
        return len(self.categories) if self.kind == "category" else 1 + self.may_miss

    def encode(self, value: object) -> list[float]:
        """Make numbers of a value; ``None`` and empty text are missing.

        Raises
        ------
        BadInput
            It is no value of this column.

        >>> InputColumn("plan", "category", ("basic", "pro")).encode("pro"), InputColumn("age", mean=40, may_miss=True).encode("")
        ([0.0, 1.0], [40, 1.0])
        """
        if isinstance(value, str):
            value = value.strip()
        is_missing = value is None or value == "" or (isinstance(value, float) and math.isnan(value))
        if self.kind == "category":
            text = str(value)
            if not is_missing and text not in self.categories:
                shown = ", ".join(self.categories[:20]) + (", …" if len(self.categories) > 20 else "")
                self._refuse(f"one of {shown}", value)
            return [float(not is_missing and one == text) for one in self.categories]
        number = self.mean if is_missing else self._number(value)
        return [number, float(is_missing)] if self.may_miss else [number]

    def decode(self, numbers: Sequence[float]) -> object:
        """Give the value that became these numbers, ``None`` where it is missing."""
        if self.kind == "category":
            return next((one for one, n in zip(self.categories, numbers, strict=True) if n), None)
        if self.may_miss and numbers[1]:
            return None
        number = float(numbers[0])
        if self.kind == "flag":
            return bool(number)
        if self.kind == "date" and number.is_integer():
            return (_EPOCH + timedelta(days=number)).isoformat()
        return int(number) if number.is_integer() else _shortest(number)

    def _number(self, value: object) -> float:
        wanted = {"date": "a date such as 2026-03-31", "flag": "true or false"}.get(self.kind, "a number")
        if self.kind == "flag" and str(value).lower() in _FLAGS:
            return _FLAGS[str(value).lower()]
        try:
            number = float(value) if isinstance(value, int | float | str) else math.nan
        except (ValueError, OverflowError):
            number = _days(str(value)) if self.kind == "date" else math.nan
        if not abs(number) < 3.4e38:
            self._refuse(wanted, value)
        return number

    def _refuse(self, wanted: str, value: object) -> NoReturn:
        raise BadInput(
            f"{self.name} takes {wanted}, or null where it is missing. Received: {str(value)[:60]!r}"
        )


def encode(columns: Sequence[InputColumn], row: Mapping[str, object]) -> list[float]:
    """Make the numbers that a model takes of a row by its columns.

    Raises
    ------
    BadInput
        A column is missing or there is none of that name, or a value is none of its column.
    """
    names = [one.name for one in columns]
    if lacking := [name for name in names if name not in row]:
        raise BadInput(
            f"a row has {', '.join(names)[:400]}, null where a value is missing. "
            f"Not there: {', '.join(lacking)[:200]}"
        )
    if strange := [name for name in row if name not in names]:
        raise BadInput(f"a row has {', '.join(names)[:400]}. Received besides: {', '.join(strange)[:200]}")
    return [number for one in columns for number in one.encode(row[one.name])]


def encode_table(columns: Sequence[InputColumn], table: Mapping[str, Sequence[object]]) -> list[list[float]]:
    """Make the numbers of each of the rows that are given column by column; raises as :func:`encode`."""
    rows = zip(*table.values(), strict=True)
    return [encode(columns, dict(zip(table, row, strict=True))) for row in rows]


def decode(columns: Sequence[InputColumn], numbers: Sequence[float]) -> dict[str, object]:
    """Give the row that became these numbers."""
    rest = iter(numbers)
    return {one.name: one.decode(list(_take(rest, one.width))) for one in columns}


def parse_columns(parts: Sequence[Fields]) -> tuple[InputColumn, ...]:
    """Parse the columns that a manifest or a recipe tells."""
    return tuple(map(_parse, parts))


def column_as_json(column: InputColumn) -> dict[str, object]:
    """The column as it stands in the file."""
    told: dict[str, object] = {"name": column.name, "kind": column.kind}
    if column.kind == "category":
        return {**told, "categories": [*column.categories]}
    return {**told, "mean": column.mean, "may_miss": column.may_miss}


def _parse(fields: Fields) -> InputColumn:
    kind = fields.text("kind", "number")
    if kind not in get_args(ColumnKind):
        fields.refuse("kind", ", ".join(get_args(ColumnKind)))
    return InputColumn(
        fields.text("name"),
        cast(ColumnKind, kind),
        fields.texts("categories"),
        fields.number("mean", 0.0),
        fields.flag("may_miss"),
    )


def _shortest(number: float) -> float:
    """Give the shortest number that is the same as float32, as it stood in the table.

    >>> _shortest(19.989999771118164)
    19.99
    """
    shown = (float(f"{number:.{digits}g}") for digits in range(4, 10))
    same = struct.pack("f", number)
    return next((one for one in shown if struct.pack("f", one) == same), number)


def _days(text: str) -> float:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return math.nan
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return found.timestamp() / 86_400


def _take(rest: Iterator[float], count: int) -> Iterator[float]:
    return (next(rest) for _ in range(count))
