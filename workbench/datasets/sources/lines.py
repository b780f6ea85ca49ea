"""The rows of a CSV, TSV or Parquet file, in pieces, whatever is in it."""

import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TextIO, cast

from workbench.datasets.sources import dialects
from workbench.datasets.sources.base import MOST_BYTES
from workbench.datasets.sources.cells import is_missing
from workbench.datasets.sources.numerals import is_number
from workbench.errors import BadInput, TooLarge, Unavailable
from workbench.system import extras

MOST_LINE = 4 * 1024**2
"""Characters of a line."""
MOST_CELL = 1_000_000
MOST_COLUMNS = 2_000
ROWS = 2_000
"""Rows of a piece."""
_LOOKED_AT = 200

Rows = list[list[str]]


class CsvLines:
    """A text file of rows: its separator, its encoding and whether it names its columns are found out."""

    def __init__(self, path: Path, header: bool | None = None) -> None:
        self._path = path
        self.notes: list[str] = []
        self._encoding = "latin-1"  # one byte a character
        with self._opened() as file:
            self._encoding = dialects.encoding(file.read(4096).encode("latin-1"))
        csv.field_size_limit(MOST_CELL)
        try:
            first = self._first()
        except UnicodeDecodeError:
            self._encoding = "cp1252"
            self.notes.append("the file is not UTF-8; it was read as Windows-1252")
            try:
                first = self._first()
            except UnicodeDecodeError as error:
                raise _no_text(path.name, error) from error
        self._dialect = dialects.find(first, path.name)
        self._above = self._dialect.above
        if self._above:
            self.notes.append(
                f"lines above the table were left out: {self._above}, which begin with {first[0].strip()[:40]!r}"
            )
            first = first[self._above :]
        try:
            rows = list(self._dialect.rows(first))
        except csv.Error as error:
            raise _too_long(path.name, error) from error
        rows = [row for row in rows if any(cell.strip() for cell in row)]
        if not rows:
            raise BadInput(f"{path.name} has no rows")
        if len(rows[0]) > MOST_COLUMNS:
            raise BadInput(f"{path.name} has {len(rows[0]):,} columns; at most {MOST_COLUMNS:,} are taken")
        self.comma = dialects.has_decimal_comma(rows[1:], self._dialect.separator)
        self._named = _names_columns(rows) if header is None else header
        self.names = _unique(
            [c.strip() for c in rows[0]]
            if self._named
            else [f"column {n}" for n in range(1, len(rows[0]) + 1)]
        )
        if not self._named and header is None:
            self.notes.append(
                "the first line was taken for an example, not for names of columns; say that it names them where it does"
            )

    def pieces(self) -> Iterator[Rows]:
        """Yield the rows, some thousand at a time.

        Raises
        ------
        BadInput
            With the line that cannot be read.
        """
        with self._opened() as file:
            lines = itertools.islice(_bounded(file, self._path.name), self._above, None)
            reader = self._dialect.rows(lines)
            rows: Rows = []
            skip = self._named
            try:
                for row in reader:
                    if not row or not any(cell.strip() for cell in row):
                        continue
                    if skip:
                        skip = False
                        continue
                    if len(row) != len(self.names):
                        raise BadInput(
                            f"{self._path.name}, line {self._above + reader.line_num}: {len(row)} cells where there are {len(self.names)} columns; "
                            "put a cell that contains the separator in double quotes"
                        )
                    rows.append(row)
                    if len(rows) == ROWS:
                        yield rows
                        rows = []
            except csv.Error as error:
                raise _too_long(f"{self._path.name}, line {self._above + reader.line_num}", error) from error
            except UnicodeDecodeError as error:
                raise _no_text(self._path.name, error) from error
            if rows:
                yield rows

    def _first(self) -> list[str]:
        with self._opened() as file:
            return list(itertools.islice(_bounded(file, self._path.name), _LOOKED_AT))

    @contextmanager
    def _opened(self) -> Iterator[TextIO]:
        if self._path.name.endswith(".gz"):
            raw = cast(BinaryIO, gzip.open(self._path, "rb"))  # noqa: SIM115 - closed below
        else:
            raw = cast(BinaryIO, self._path.open("rb"))
        with raw, io.TextIOWrapper(raw, encoding=self._encoding, newline="") as file:
            try:
                yield file
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise BadInput(f"{self._path.name} is damaged: {error}") from error


class ParquetLines:
    """A Parquet file of plain columns."""

    comma = False

    def __init__(self, path: Path) -> None:
        if not extras.is_installed("data"):
            raise Unavailable(f"Parquet needs pyarrow: {extras.install('data')}")
        import pyarrow
        from pyarrow import parquet

        self._path, self.notes = path, list[str]()
        try:
            self._file = parquet.ParquetFile(path)
        except (pyarrow.ArrowException, OSError) as error:
            raise BadInput(f"{path.name} is no Parquet file that can be read: {error}") from error
        schema = self._file.schema_arrow
        nested = [
            field.name
            for field in schema
            if pyarrow.types.is_nested(field.type) or pyarrow.types.is_binary(field.type)
        ]
        if nested:
            raise BadInput(
                f"{path.name} has columns that are no plain cells: {', '.join(nested[:5])}; leave them out"
            )
        if len(schema) > MOST_COLUMNS:
            raise BadInput(f"{path.name} has {len(schema):,} columns; at most {MOST_COLUMNS:,} are taken")
        self.names = _unique(list(schema.names))

    def pieces(self) -> Iterator[Rows]:
        """Yield the rows, some thousand at a time; raises ``BadInput``."""
        import pyarrow

        try:
            for batch in self._file.iter_batches(ROWS):
                columns = [[_cell(value) for value in column.to_pylist()] for column in batch.columns]
                yield [list(row) for row in zip(*columns, strict=True)]
        except (pyarrow.ArrowException, OSError) as error:
            raise BadInput(f"{self._path.name} is damaged: {error}") from error


class JoinedLines:
    """Two tables alike, one to train and one to test with, as one whose last column says which."""

    PART = "part"

    def __init__(self, tables: Sequence[tuple[str, CsvLines | ParquetLines]]) -> None:
        self._tables = tables
        (_, first), *others = tables
        for name, other in others:
            if other.names != first.names:
                raise BadInput(
                    f"{name} has other columns than the table beside it: {', '.join(other.names[:20])}"
                )
        self.comma = first.comma
        self.notes = list(first.notes)
        self._has_part = self.PART in first.names
        self.names = first.names if self._has_part else [*first.names, self.PART]

    def pieces(self) -> Iterator[Rows]:
        """Yield the rows of one after the other."""
        for name, table in self._tables:
            for rows in table.pieces():
                yield rows if self._has_part else [[*row, name] for row in rows]


def _no_text(name: str, error: UnicodeDecodeError) -> BadInput:
    return BadInput(f"{name} is not text in one encoding: {error}; save it as UTF-8")


def _cell(value: object) -> str:
    if value is None:
        return ""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def _bounded(file: TextIO, name: str) -> Iterator[str]:
    read = 0
    while line := file.readline(MOST_LINE):
        read += len(line)
        if len(line) >= MOST_LINE and not line.endswith("\n"):
            raise BadInput(f"{name} has a line of more than {MOST_LINE:,} characters; is it a table?")
        if read > 4 * MOST_BYTES:
            raise TooLarge(f"{name} has more than {4 * MOST_BYTES:,} characters")
        if "\0" in line:
            raise BadInput(f"{name} is not text: it contains zero bytes; give CSV, TSV or Parquet")
        yield line


def _too_long(place: str, error: csv.Error) -> BadInput:
    return BadInput(f"{place}: {error}; there may be at most {MOST_CELL:,} characters a cell")


def _names_columns(rows: Rows) -> bool:
    first, rest = [cell.strip() for cell in rows[0]], rows[1:]
    if not rest or any(_is_number(cell) for cell in first):
        return False
    for n, name in enumerate(first):
        cells = [row[n] for row in rest if n < len(row) and not is_missing(row[n])]
        if cells and not is_missing(name) and all(_is_number(cell) for cell in cells):
            return True
    named = [name for name in first if name]
    return (
        len(set(named)) == len(named)
        and not any(
            name in {row[n].strip() for row in rest if n < len(row)} for n, name in enumerate(first) if name
        )
        and max(map(len, first)) <= 40
    )


def _is_number(cell: str) -> bool:
    return is_number(cell, False) or is_number(cell, True)


def _unique(names: list[str]) -> list[str]:
    """Names that are there, and once: an empty one is called by its place, a second one gets a number."""
    found: list[str] = []
    for n, name in enumerate(names, 1):
        base = name[:200] or f"unnamed {n}"
        again, count = base, 2
        while again in found:
            again, count = f"{base} {count}", count + 1
        found.append(again)
    return found
