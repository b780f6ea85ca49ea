"""The answers of two versions to a canary's drawings.

The answers of both to each of a canary's drawings are kept in one SQLite file, the latest :data:`KEPT` of each
pair, with the picture where they disagree. A drawing is answered whether or not that can be written.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.deployments.values import Deployment
from workbench.pictures import ink

KEPT = 5_000
SHOWN = 60
"""Disagreements in an answer."""

_TABLE = """
CREATE TABLE IF NOT EXISTS drawings (
    number INTEGER PRIMARY KEY, t TEXT NOT NULL, model TEXT NOT NULL, one INTEGER NOT NULL, other INTEGER NOT NULL,
    one_said INTEGER NOT NULL, one_sure REAL NOT NULL, other_said INTEGER NOT NULL, other_sure REAL NOT NULL,
    seen BLOB);
CREATE INDEX IF NOT EXISTS by_pair ON drawings (model, one, other, number);
"""


@dataclass(frozen=True)
class Disagreement:
    """A drawing to which two versions gave different answers."""

    t: str
    seen: bytes
    """The 28×28 pixels that both saw, as a PNG."""
    answers: tuple[tuple[int, int, float], ...]
    """Version, its digit, and the probability that it gave that."""

    def as_json(self) -> dict[str, object]:
        """Give the drawing as ``/models/NAME/compare`` has it."""
        answers = {
            str(version): {"digit": digit, "probability": round(sure, 4)}
            for version, digit, sure in self.answers
        }
        return {"t": self.t, "picture": ink.png_data_url(self.seen), "answers": answers}


@dataclass(frozen=True)
class Agreement:
    """The count of how often two versions gave the same answer to a canary's drawings."""

    count: int
    agreed: int
    disagreements: tuple[Disagreement, ...]
    """The latest :data:`SHOWN`."""

    def as_json(self) -> dict[str, object]:
        """Give all as ``/models/NAME/compare`` has it."""
        return vars(self) | {"disagreements": [one.as_json() for one in self.disagreements]}


class Comparisons:
    """The store; all methods may be called from many threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "comparisons.db"

    def keep(
        self,
        one: Deployment,
        other: Deployment,
        one_scores: NDArray[np.float32],
        other_scores: NDArray[np.float32],
        seen: NDArray[np.uint8],
    ) -> bool:
        """Record what two versions said to one drawing; whether that could be written."""
        said, otherwise = int(one_scores.argmax()), int(other_scores.argmax())
        picture = None if said == otherwise else cv2.imencode(".png", seen)[1].tobytes()
        pair = one.name, one.version, other.version
        row = (
            datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            *pair,
            said,
            float(one_scores[said]),
            otherwise,
            float(other_scores[otherwise]),
            picture,
        )
        try:
            with self._open() as database, database:
                number = database.execute(
                    "INSERT INTO drawings VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row
                ).lastrowid
                if number and number % 100 == 0:
                    database.execute(
                        "DELETE FROM drawings WHERE model = ? AND one = ? AND other = ? AND number <= "
                        "(SELECT number FROM drawings WHERE model = ? AND one = ? AND other = ? "
                        "ORDER BY number DESC LIMIT 1 OFFSET ?)",
                        (*pair, *pair, KEPT),
                    )
        except (sqlite3.Error, OSError):
            return False
        return True

    def of(self, name: str, one: int, other: int) -> Agreement:
        """Count how a pair agreed, whichever was active."""
        where = "model = ? AND ((one = ? AND other = ?) OR (one = ? AND other = ?))"
        pair = name, one, other, other, one
        with self._open() as database:
            count, agreed = database.execute(
                f"SELECT count(*), coalesce(sum(one_said = other_said), 0) FROM drawings WHERE {where}",  # noqa: S608
                pair,
            ).fetchone()
            rows = database.execute(
                "SELECT t, one, other, one_said, one_sure, other_said, other_sure, seen FROM drawings "  # noqa: S608
                f"WHERE {where} AND one_said != other_said ORDER BY number DESC LIMIT ?",
                (*pair, SHOWN),
            ).fetchall()
        disagreements = tuple(
            Disagreement(t, seen, ((a, a_said, a_sure), (b, b_said, b_sure)))
            for t, a, b, a_said, a_sure, b_said, b_sure, seen in rows
        )
        return Agreement(count, agreed, disagreements)

    @contextmanager
    def _open(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        database = sqlite3.connect(self._file, timeout=1.0)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = NORMAL")
            database.execute("PRAGMA max_page_count = 25000")
            if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'by_pair'").fetchone():
                database.executescript(_TABLE)
            yield database
        finally:
            database.close()
