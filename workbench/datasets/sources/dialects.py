"""How a text file of rows is written: its encoding, its separator, and the lines that stand above the table."""

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from workbench.datasets.sources.numerals import is_number

if TYPE_CHECKING:
    import _csv

_SEPARATORS = (",", "\t", ";", "|")
_DECLARED = re.compile(r"\ufeff?\"?sep=(.)\"?,*\r?\n?", re.IGNORECASE)
"""The line by which a spreadsheet is told the separator."""


@dataclass(frozen=True)
class Dialect:
    """How rows are parted.

    Attributes
    ----------
    separator
        A space stands for any number of spaces and tabs.
    above
        Lines of the file before the table's first.
    """

    separator: str
    above: int = 0

    def rows(self, lines: Iterable[str]) -> "_csv.Reader":
        """The rows of a table's lines."""
        return csv.reader(_joined(lines) if self.separator == " " else lines, delimiter=self.separator)


def encoding(first: bytes) -> str:
    """The encoding that a file's first bytes tell of; UTF-8 where they tell none.

    >>> encoding("a,b".encode("utf-16")), encoding("height,b".encode("utf-16-be")), encoding(b"a,b")
    ('utf-16', 'utf-16-be', 'utf-8-sig')
    """
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "utf-16"
    even, odd = first[0::2].count(0), first[1::2].count(0)
    if 2 * odd > len(first[1::2]) and not even:
        return "utf-16-le"
    if 2 * even > len(first[0::2]) and not odd:
        return "utf-16-be"
    return "utf-8-sig"


def find(lines: Sequence[str], name: str) -> Dialect:
    """What parts every line of the table into as many cells, the most; of a ``.tsv`` tabs, if they do.

    Lines above the table are those without any separator, which a report begins with.
    """
    declared = _DECLARED.fullmatch(lines[0]) if lines else None
    if declared:
        return Dialect(declared[1], 1)
    is_tsv = ".tsv" in name.lower()
    plain = _widest(lines, is_tsv, most_above=0)
    return (
        plain or _widest(lines, is_tsv, most_above=50) or _spaced(lines) or Dialect("\t" if is_tsv else ",")
    )


def has_decimal_comma(rows: Sequence[Sequence[str]], separator: str) -> bool:
    """Whether commas begin the fractions of numbers, where a column by itself does not tell: ``5,250``."""
    cells = [cell for row in rows for cell in row if "," in cell or "." in cell]
    commas = sum(is_number(cell, True) and not is_number(cell, False) for cell in cells)
    points = sum(is_number(cell, False) and not is_number(cell, True) for cell in cells)
    if commas != points:
        return commas > points
    return separator == ";" and any("," in cell and is_number(cell, True) for cell in cells)


def _widest(lines: Sequence[str], is_tsv: bool, most_above: int) -> Dialect | None:
    best, most = None, 1
    for separator in ("\t", *_SEPARATORS) if is_tsv else _SEPARATORS:
        reader = csv.reader(lines[:-1] or lines, delimiter=separator)
        try:
            rows = [(len(row), reader.line_num) for row in reader if row]
        except csv.Error:
            continue
        above = 0
        while most_above and above < min(most_above, len(rows) - 2) and rows[above][0] == 1:
            above += 1
        widths = {width for width, _ in rows[above:]}
        if len(widths) == 1 and (width := widths.pop()) > most:
            best, most = Dialect(separator, rows[above - 1][1] if above else 0), width
            if is_tsv and separator == "\t":
                break  # sentences may well have as many commas each
    return best


def _spaced(lines: Sequence[str]) -> Dialect | None:
    """A table of numbers that are set apart by spaces alone, as programs that print write it."""
    found = Dialect(" ")
    try:
        rows = [row for row in found.rows(lines[:-1] or lines) if row]
    except csv.Error:
        return None
    if len(rows) < 3 or len({len(row) for row in rows}) > 1:
        return None
    columns = list(zip(*rows[1:], strict=True))
    numbers = sum(all(is_number(cell, False) for cell in column) for column in columns)
    return found if len(columns) > 1 and numbers >= len(columns) / 2 else None


def _joined(lines: Iterable[str]) -> Iterator[str]:
    return (" ".join(line.split()) + "\n" for line in lines)
