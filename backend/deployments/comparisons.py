"""Two versions of a model, told apart by what they answer: canaries' drawings, and visitors' corrections.

What both versions said to each of a canary's drawings is kept in one SQLite file, the latest :data:`KEPT` of each
pair, with the picture where they disagree. A drawing is answered whether or not that can be written.
"""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from backend.corrections.store import Corrections
from backend.deployments.store import Deployment
from workbench.pictures import ink

KEPT = 5_000
SHOWN = 60
"""Disagreements in an answer."""
MOST_CORRECTIONS = 2_000
"""The latest accepted corrections on which two versions are measured."""
_Z = 1.959964

_TABLE = """
CREATE TABLE IF NOT EXISTS drawings (
    number INTEGER PRIMARY KEY, t TEXT NOT NULL, model TEXT NOT NULL, one INTEGER NOT NULL, other INTEGER NOT NULL,
    one_said INTEGER NOT NULL, one_sure REAL NOT NULL, other_said INTEGER NOT NULL, other_sure REAL NOT NULL,
    seen BLOB);
CREATE INDEX IF NOT EXISTS by_pair ON drawings (model, one, other, number);
"""


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

    def of(self, name: str, one: int, other: int) -> dict[str, Any]:
        """``{"count", "agreed", "disagreements": [{"t", "picture", "answers"}]}`` of a pair, whichever was active."""
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
        disagreements = [
            {
                "t": t,
                "picture": ink.png_data_url(seen),
                "answers": {
                    str(a): {"digit": a_said, "probability": round(a_sure, 4)},
                    str(b): {"digit": b_said, "probability": round(b_sure, 4)},
                },
            }
            for t, a, b, a_said, a_sure, b_said, b_sure, seen in rows
        ]
        return {"count": count, "agreed": agreed, "disagreements": disagreements}

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


def on_corrections(versions: list[Deployment], corrections: Corrections) -> dict[str, Any]:
    """How many of the accepted corrections each version recognises, with the 95 % interval.

    ``{"count": n, "versions": {"7": {"right", "accuracy", "low", "high"}}}``. Visitors correct what was recognised
    wrongly: these drawings are harder than most, and hardest for the version that was corrected.
    """
    latest = list(islice(reversed(list(corrections.all("accepted"))), MOST_CORRECTIONS))
    if not latest:
        return {"count": 0, "versions": {}}
    seen = np.frombuffer(b"".join(c.seen for c in latest), np.uint8).reshape(-1, 28, 28, 1)
    truth = np.array([c.digit for c in latest])
    found = {}
    for deployment in versions:
        if deployment.manifest.takes.shape != (28, 28, 1):
            continue
        low, high = deployment.manifest.takes.range
        x = seen.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
        said = [deployment.engine.predict(x[i : i + 200]).argmax(1) for i in range(0, len(x), 200)]
        right = int((np.concatenate(said) == truth).sum())
        low, high = interval(right, len(truth))
        found[str(deployment.version)] = {
            "right": right,
            "accuracy": round(right / len(truth), 6),
            "low": low,
            "high": high,
        }
    return {"count": len(truth), "versions": found}


def interval(right: int, of: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share (Wilson 1927, eq. 6).

    >>> interval(5, 10)
    (0.236593, 0.763407)
    """
    share, n = right / of, of
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    return round(max(0.0, (middle - half) / scale), 6), round(min(1.0, (middle + half) / scale), 6)
