"""Tables: the type of each column guessed from all of its cells, a target chosen, missing cells named."""

import functools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np

from workbench.datasets.kept.blocks import TEST, TRAIN, UNKNOWN, Block
from workbench.datasets.kept.records import fixed_dtype
from workbench.datasets.kept.values import TEXT, Column
from workbench.datasets.sources import cells
from workbench.datasets.sources.base import Described, How, part_named
from workbench.datasets.sources.lines import CsvLines, JoinedLines, ParquetLines, Rows
from workbench.datasets.sources.numerals import number
from workbench.errors import BadInput

USUAL_TARGETS = (
    "target",
    "label",
    "class",
    "y",
    "outcome",
    "category",
    "sentiment",
    "survived",
    "species",
    "price",
)
USUAL_IDS = ("id", "index", "row", "no", "nr", "unnamed: 0", "unnamed 1", "passengerid", "rowid", "uuid")
SPLITS = ("part", "split", "set", "subset")
CLASSES = 20
"""Most different whole numbers that are taken for classes rather than for a quantity."""


class Table:
    """See :class:`workbench.datasets.sources.base.Source`.

    Parameters
    ----------
    name
        Of the file, for messages.
    """

    def __init__(self, lines: CsvLines | JoinedLines | ParquetLines, name: str, how: How) -> None:
        self._lines, self._name, self._how = lines, name, how
        self._without_target = 0
        self._unreadable = 0

    def describe(self) -> Described:
        names = self._lines.names
        for asked, what in (
            (self._how.target, "target"),
            (self._how.split.column, "column"),
            *((u, "unused") for u in self._how.unused),
        ):
            if asked and asked not in names:
                raise BadInput(
                    f"{self._name} has no column {asked!r} ({what}); it has: {', '.join(names[:40])}"
                )
        guesses = [cells.Guess(self._lines.comma) for _ in names]
        rows = size = 0
        for piece in self._lines.pieces():
            rows += len(piece)
            for n, guess in enumerate(guesses):
                column = [row[n] for row in piece]
                guess.add(column)
                size += sum(map(len, column))
        if rows < 2:
            raise BadInput(f"{self._name} has {rows} rows; at least two are needed")
        self._found = dict(zip(names, guesses, strict=True))
        notes = [*self._lines.notes]
        self._find_split(notes)
        target = self._choose_target(notes)
        self._columns = tuple(self._column(name, name == target, rows, notes) for name in names)
        kind = self._kind(notes)
        labels = next((c.categories for c in self._columns if c.role == "target"), ())
        missing = [f"{n} ({g.missing:,})" for n, g in self._found.items() if g.missing]
        if missing:
            notes.append(f"missing cells: {', '.join(missing[:20])}")
        split = self._how.split
        return Described(
            kind,
            self._columns,
            labels,
            max(size, rows * fixed_dtype(self._columns).itemsize),
            split,
            tuple(notes),
        )

    def blocks(self) -> Iterator[Block]:
        names = self._lines.names
        target = next((names.index(c.name) for c in self._columns if c.role == "target"), None)
        split = self._how.split
        aside = names.index(split.column) if split.column else None
        read = [self._reader(column) for column in self._columns]
        for piece in self._lines.pieces():
            rows = piece
            if target is not None:
                rows = [row for row in piece if not cells.is_missing(row[target])]
                self._without_target += len(piece) - len(rows)
            if not rows:
                continue
            fixed = np.zeros(len(rows), fixed_dtype(self._columns))
            texts: list[Sequence[str]] = []
            for n, (column, reader) in enumerate(zip(self._columns, read, strict=True)):
                values = [row[n] for row in rows]
                if column.is_text:
                    texts.append(["" if cells.is_missing(value) else value for value in values])
                else:
                    fixed[f"c{n}"] = reader(values)
            groups = [row[aside] for row in rows] if aside is not None and split.by == "group" else None
            parts = self._parts(rows, aside) if aside is not None and split.by == "column" else None
            yield Block(fixed, texts, parts, groups)

    def notes(self) -> tuple[str, ...]:
        if not self._without_target:
            return ()
        return (f"left out {self._without_target:,} rows without a target",)

    def _find_split(self, notes: list[str]) -> None:
        """Take a column that says train or test in each row for the split, where nothing else was said."""
        if self._how.split.by != "share":
            return
        for name, guess in self._found.items():
            values = set(guess.values or ())
            if (
                name.lower() in SPLITS
                and not guess.missing
                and {part_named(v) for v in values} == {TRAIN, TEST}
            ):
                self._how = replace(self._how, split=replace(self._how.split, by="column", column=name))
                notes.append(f"the column {name!r} says which rows are to be tested with")
                return

    def _parts(self, rows: Rows, aside: int) -> list[int]:
        parts = [part_named(row[aside].strip()) for row in rows]
        wrong = next((row[aside] for row, part in zip(rows, parts, strict=True) if part is None), None)
        if wrong is not None:
            raise BadInput(
                f"the column {self._how.split.column!r} must say train or test in each row. Received: {wrong[:40]!r}"
            )
        return [UNKNOWN if part is None else part for part in parts]

    def _choose_target(self, notes: list[str]) -> str | None:
        if self._how.target:
            return self._how.target
        names = [n for n in self._lines.names if n not in self._how.unused and n != self._how.split.column]
        usual = {name.lower(): name for name in names}
        found = next((usual[one] for one in USUAL_TARGETS if one in usual), None)
        if found is None:
            candidates = [n for n in names if self._found[n].is_number or self._found[n].is_category]
            found = candidates[-1] if candidates else None
        if found is not None:
            notes.append(f"the target was guessed: {found!r}; name another column if it is another")
        return found

    def _column(self, name: str, is_target: bool, rows: int, notes: list[str]) -> Column:
        guess = self._found[name]
        role = "target" if is_target else "input"
        if not is_target and (name in self._how.unused or name == self._how.split.column):
            role = "unused"
        if guess.present == 0:
            return Column(name, "number", "<f4", role="unused", missing=guess.missing)
        if is_target:
            return self._target(name, guess, notes)
        if guess.is_number:
            distinct = guess.values is None or len(guess.values) == guess.present
            if role == "input" and guess.is_whole and distinct and name.lower() in USUAL_IDS and rows > 2:
                role = "unused"
                notes.append(f"{name!r} only counts the rows; it is kept, and no model sees it")
            return Column(name, "number", "<f4", role=role)
        if 0 < 20 * guess.others < guess.numbers and (guess.values is None or len(guess.values) > CLASSES):
            notes.append(
                f"{name!r} would be numbers but for {guess.others} of {guess.present:,} cells, such as {guess.other!r}; "
                "leave these empty and add it again"
            )
        if guess.date_form:
            return Column(name, "date", "<f8", role=role)
        if guess.is_category:
            return Column(name, "category", "<i4", role=role, categories=guess.categories())
        return Column(name, "text", TEXT, role=role)

    def _target(self, name: str, guess: cells.Guess, notes: list[str]) -> Column:
        few = (
            guess.values is not None
            and len(guess.values) <= CLASSES
            and 3 * len(guess.values) <= guess.present
        )
        classes = self._how.classes
        if classes is None:
            classes = not guess.is_number or (guess.is_whole and few)
            if guess.is_number and classes:
                notes.append(
                    f"{name!r} has {len(guess.values or ())} whole numbers, taken for classes; say that the target is a number if they are quantities"
                )
        if classes:
            if guess.values is None or len(guess.values) > 10_000:
                raise BadInput(
                    f"the target {name!r} has too many different values for classes; name another target column"
                )
            return Column(name, "category", "<i4", role="target", categories=guess.categories())
        if not guess.is_number:
            raise BadInput(
                f"the target {name!r} is not a number in each row; take its values for classes, or name another target column"
            )
        return Column(name, "number", "<f8", role="target")

    def _kind(self, notes: list[str]) -> str:
        texts = [c for c in self._columns if c.is_text and c.role == "input"]
        others = [c for c in self._columns if not c.is_text and c.role == "input"]
        if texts and (self._how.kind == "text" or not others):
            longest = max(texts, key=lambda c: self._found[c.name].mean_length)
            self._set_unused([c.name for c in (*texts, *others) if c is not longest])
            return "text"
        if self._how.kind == "text":
            raise BadInput(f"{self._name} has no column of text beside the target")
        if texts:
            self._set_unused([c.name for c in texts])
            notes.append(
                f"texts are kept, and no model sees them: {', '.join(c.name for c in texts)}; say that it is text to have one as the input"
            )
        if not others:
            raise BadInput(f"{self._name} has no column besides the target that a model could be given")
        return "table"

    def _set_unused(self, names: Sequence[str]) -> None:
        self._columns = tuple(replace(c, role="unused") if c.name in names else c for c in self._columns)

    def _reader(self, column: Column) -> Callable[[Sequence[str]], np.ndarray]:
        guess = self._found[column.name]
        if column.kind == "category":
            return functools.partial(_codes, {text: n for n, text in enumerate(column.categories)})
        if column.kind == "date":
            form = guess.date_form or "iso"
            return functools.partial(cells.numbers, parse=lambda text: cells.date(text, form))
        return functools.partial(cells.numbers, parse=functools.partial(number, comma=guess.comma))


def _codes(numbers: Mapping[str, int], values: Sequence[str]) -> np.ndarray:
    return np.array([numbers.get(value.strip()[:200], -1) for value in values], np.int32)
