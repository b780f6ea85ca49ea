"""Corrections, the digits that visitors say they drew: one SQLite file in the back end's folder, waiting for review.

A correction's id is the SHA-256 of its picture and digit, so that a second click stores nothing. Every change is on
the disk before it is acknowledged (write-ahead log, synced), so that neither ``kill -9`` nor a full disk can leave
half of one. Visitors' addresses are not kept: a keyed hash of each is, for a minute, to count by.
"""

import hashlib
import hmac
import io
import json
import sqlite3
import time
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput, Full, NotFound, TooMany, WorkbenchError
from workbench.pictures import ink as images

STATES = ("waiting", "accepted", "rejected")
WINDOW_S = 60.0
PER_VISITOR, PER_WINDOW = 30, 300
"""Corrections within :data:`WINDOW_S`, of one visitor and of all."""
MAX_BYTES = 512 * 1024 * 1024
"""Of the file; some 100,000 drawings."""
SIDE = 280
"""Pixels of the longer side at which a drawing is kept; the page's canvas has as many."""
PAGE = 200

_TABLES = """
CREATE TABLE IF NOT EXISTS corrections (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, t TEXT NOT NULL, state TEXT NOT NULL,
    predicted INTEGER, digit INTEGER NOT NULL, model TEXT, version INTEGER, picture BLOB NOT NULL, seen BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_state ON corrections (state, number);
CREATE TABLE IF NOT EXISTS posts (visitor TEXT NOT NULL, t REAL NOT NULL);
"""


@dataclass(frozen=True)
class Correction:
    """A drawing whose true digit a visitor gave."""

    number: int
    """Counts up."""
    id: str
    t: str
    state: str
    predicted: int | None
    digit: int
    model: str | None
    version: int | None
    picture: bytes
    """The drawing's ink as a grey PNG."""
    seen: bytes
    """28×28 bytes: what a model sees."""

    def describe(self) -> dict[str, object]:
        """Give all but the picture, as JSON has it."""
        return {
            "id": self.id,
            "t": self.t,
            "state": self.state,
            "predicted": self.predicted,
            "digit": self.digit,
            "model": self.model,
            "version": self.version,
        }


class Corrections:
    """The store; all methods may be called from many threads and processes."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._file = folder / "corrections.db"
        self._max_bytes = max_bytes

    def keep(
        self,
        drawing: bytes,
        digit: int,
        *,
        predicted: int | None,
        model: str | None,
        version: int | None,
        visitor: str,
        key: str,
        now: float | None = None,
    ) -> tuple[str, bool]:
        """Store a correction once; its id, and whether it is new.

        Parameters
        ----------
        drawing
            An encoded picture.
        visitor
            The address of who sent it, kept as a hash under ``key``.

        Raises
        ------
        PictureError, BadInput
            Not a picture, or nothing is drawn on it.
        TooMany, Full
            See there.
        """
        ink = images.decode(drawing)
        seen = images.fit(ink)
        if seen is None:
            raise BadInput("nothing is drawn on the picture, so there is nothing to correct")
        picture = _to_png(ink)
        id_ = hashlib.sha256(picture + bytes([digit])).hexdigest()
        who = hmac.digest(key.encode(), visitor.encode(), "sha256").hex()[:16]
        now = time.time() if now is None else now
        with self._changing() as database:
            if database.execute("SELECT 1 FROM corrections WHERE id = ?", (id_,)).fetchone():
                return id_, False
            database.execute("DELETE FROM posts WHERE t < ? OR t > ?", (now - WINDOW_S, now + WINDOW_S))
            mine, all_ = database.execute(
                "SELECT coalesce(sum(visitor = ?), 0), count(*) FROM posts", (who,)
            ).fetchone()
            if mine >= PER_VISITOR or all_ >= PER_WINDOW:
                raise TooMany(
                    f"no more than {PER_VISITOR} corrections a minute are taken from one visitor; go on in a minute",
                    after_s=WINDOW_S,
                )
            database.execute("INSERT INTO posts VALUES (?, ?)", (who, now))
            t = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            database.execute(
                "INSERT INTO corrections (id, t, state, predicted, digit, model, version, picture, seen) "
                "VALUES (?, ?, 'waiting', ?, ?, ?, ?, ?, ?)",
                (id_, t, predicted, digit, model, version, picture, seen.tobytes()),
            )
        return id_, True

    def page(self, state: str | None = None, after: int = 0, limit: int = 50) -> list[Correction]:
        """List corrections in a state, or all, whose number is above ``after``, the oldest first."""
        if state is not None and state not in STATES:
            raise BadInput(f"a correction's state is {', '.join(STATES)}. Received: {state[:40]!r}")
        with self._reading() as database:
            rows = database.execute(
                "SELECT * FROM corrections WHERE number > ? AND (? IS NULL OR state = ?) ORDER BY number LIMIT ?",
                (after, state, state, max(1, min(limit, PAGE))),
            ).fetchall()
        return [Correction(*row) for row in rows]

    def all(self, state: str) -> Iterator[Correction]:
        """Give every correction in a state, page by page."""
        after = 0
        while page := self.page(state, after, PAGE):
            yield from page
            after = page[-1].number

    def counts(self) -> dict[str, int]:
        """Count those in each state."""
        with self._reading() as database:
            found = dict(
                database.execute("SELECT state, count(*) FROM corrections GROUP BY state").fetchall()
            )
        return {state: found.get(state, 0) for state in STATES}

    def review(self, ids: Sequence[str], state: str) -> list[Correction]:
        """Bring corrections into a state, all of them or none; reviewing again changes it.

        Parameters
        ----------
        ids
            Whole, or beginnings of at least 6 characters that only one id has.

        Raises
        ------
        NotFound, BadInput
            No correction, or more than one, has an id that begins so.
        """
        if state not in STATES:
            raise BadInput(f"a correction's state is {', '.join(STATES)}. Received: {state[:40]!r}")
        with self._changing() as database:
            numbers = [self._number(database, id_) for id_ in dict.fromkeys(ids)]
            database.executemany(
                "UPDATE corrections SET state = ? WHERE number = ?", [(state, number) for number in numbers]
            )
            marks = ",".join("?" * len(numbers))
            rows = database.execute(  # of marks only
                f"SELECT * FROM corrections WHERE number IN ({marks}) ORDER BY number",  # noqa: S608
                numbers,
            ).fetchall()
        return [Correction(*row) for row in rows]

    def export(self) -> bytes:
        """Zip the accepted ones: ``corrections.npz`` and ``manifest.json``; the same ones give the same bytes.

        The arrays are ``x`` ``(n, 28, 28)`` uint8, ``y`` ``(n,)`` int64 and ``predicted`` ``(n,)`` int64, -1 where
        nothing was predicted.
        """
        kept = sorted(self.all("accepted"), key=lambda c: c.id)
        x = np.frombuffer(b"".join(c.seen for c in kept), np.uint8).reshape(-1, 28, 28)
        arrays = io.BytesIO()
        np.savez_compressed(
            arrays,
            x=x,
            y=np.array([c.digit for c in kept], np.int64),
            predicted=np.array([-1 if c.predicted is None else c.predicted for c in kept], np.int64),
        )
        data = arrays.getvalue()
        manifest = {
            "format": 1,
            "count": len(kept),
            "files": {
                "corrections.npz": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
            },
            "corrections": [{k: v for k, v in c.describe().items() if k != "state"} for c in kept],
        }
        zipped = io.BytesIO()
        with zipfile.ZipFile(zipped, "w") as archive:
            for name, content in (
                ("corrections.npz", data),
                ("manifest.json", json.dumps(manifest, indent=1).encode()),
            ):
                archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
        return zipped.getvalue()

    def _number(self, database: sqlite3.Connection, id_: str) -> int:
        if len(id_) < 6 or not id_.isalnum():
            raise BadInput(f"a correction's id is at least 6 of 0-9 and a-f. Received: {id_[:80]!r}")
        found = database.execute(
            "SELECT number FROM corrections WHERE id >= ? AND id < ? || 'g' LIMIT 2", (id_, id_)
        ).fetchall()
        if not found:
            raise NotFound(f"there is no correction {id_[:64]}")
        if len(found) > 1:
            raise BadInput(f"several corrections begin with {id_[:64]}; give more of the id")
        return int(found[0][0])

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            database = sqlite3.connect(self._file, timeout=5.0, isolation_level=None)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.execute(f"PRAGMA max_page_count = {self._max_bytes // 4096}")
                database.execute("PRAGMA journal_size_limit = 4194304")
                if not database.execute("SELECT 1 FROM sqlite_master WHERE name = 'posts'").fetchone():
                    database.executescript(_TABLES)
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise _explain(error) from error

    @contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One change, whole or not at all."""
        with self._reading() as database:
            database.execute("BEGIN IMMEDIATE")
            try:
                yield database
                database.execute("COMMIT")
            except BaseException:
                if database.in_transaction:
                    database.execute("ROLLBACK")
                raise


def _explain(error: sqlite3.Error) -> WorkbenchError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return Full("there is no room left for corrections; nothing was stored")
    return WorkbenchError(f"the corrections could not be read or written: {error}")


def _to_png(ink: NDArray[Any]) -> bytes:
    """Write the ink as a PNG of at most :data:`SIDE` pixels a side: no metadata, and nothing but a picture."""
    longest = max(ink.shape)
    if longest > SIDE:
        height, width = ink.shape
        size = max(1, round(width * SIDE / longest)), max(1, round(height * SIDE / longest))
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", ink)[1].tobytes()
