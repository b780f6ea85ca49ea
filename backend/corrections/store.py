"""Drawings whose true digit somebody gave: one SQLite file in the back end's folder, waiting for review.

A drawing's id is the SHA-256 of its picture and digit, so that a second click stores nothing. Every change is on
the disk before it is acknowledged (write-ahead log, synced), so that neither ``kill -9`` nor a full disk can leave
half of one. Whoever gave one may take it back while it waits, by a secret that only the page has; then it is gone.
"""

import hashlib
import hmac
import json
import secrets
import sqlite3
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
from numpy.typing import NDArray

from backend.corrections import export, pace
from backend.corrections.database import Database
from backend.corrections.values import STATES, Correction, Giver, Kept, Opinion, TakenBack
from workbench.errors import BadInput, NotFound
from workbench.pictures import ink as images

MAX_BYTES = 512 * 1024 * 1024
"""Of the file; some 100,000 drawings."""
SIDE = 280
"""Pixels of the longer side at which a drawing is kept; the page's canvas has as many."""
PAGE = 200

_COLUMNS = (
    "number, id, t, state, kind, predicted, digit, model, version, probabilities, doubt, writer, session, "
    "picture, seen"
)


class Corrections:
    """The store; all methods may be called from many threads and processes."""

    def __init__(self, folder: Path, *, max_bytes: int = MAX_BYTES) -> None:
        self._database = Database(folder / "corrections.db", max_bytes)

    def keep(
        self,
        drawing: bytes,
        digit: int,
        *,
        giver: Giver,
        key: str,
        predicted: int | None = None,
        opinion: Opinion = Opinion(),  # noqa: B008  # frozen
        now: float | None = None,
    ) -> Kept:
        """Store a drawing once.

        Parameters
        ----------
        drawing
            An encoded picture.
        key
            Under which the visitor's address and the page's session are kept as hashes.

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
            raise BadInput("nothing is drawn on the picture, so there is nothing to keep")
        picture = _to_png(ink)
        id_ = hashlib.sha256(picture + bytes([digit])).hexdigest()
        session = _name(key, giver.session) if giver.session else ""
        secret = secrets.token_urlsafe(18)
        now = time.time() if now is None else now
        with self._database.changing() as database:
            there = database.execute("SELECT state, session FROM corrections WHERE id = ?", (id_,)).fetchone()
            if there:
                # Who sends again has not got the answer: only the same page is known to be the same one.
                again = bool(session) and there == ("waiting", session)
                if again:
                    database.execute("UPDATE corrections SET secret = ? WHERE id = ?", (_digest(secret), id_))
                return Kept(id_, new=False, secret=secret if again else None)
            pace.take(database, giver, session, key, now)
            t = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            said = opinion.probabilities
            row = {
                "id": id_,
                "t": t,
                "state": "waiting",
                "kind": giver.kind,
                "predicted": predicted,
                "digit": digit,
                "model": opinion.model,
                "version": opinion.version,
                "probabilities": None if said is None else json.dumps([round(p, 5) for p in said]),
                "doubt": opinion.doubt,
                "writer": giver.writer,
                "session": session,
                "secret": _digest(secret),
                "picture": picture,
                "seen": seen.tobytes(),
            }
            marks = ", ".join(f":{name}" for name in row)
            database.execute(f"INSERT INTO corrections ({', '.join(row)}) VALUES ({marks})", row)  # noqa: S608
        return Kept(id_, new=True, secret=secret)

    def take_back(self, given: Sequence[str]) -> TakenBack:
        """Remove the drawings that these secrets are of, as far as nobody has reviewed them."""
        taken = reviewed = 0
        wanted = list(dict.fromkeys(given))
        with self._database.changing() as database:
            for secret in wanted:
                row = database.execute(
                    "SELECT number, state FROM corrections WHERE secret = ?", (_digest(secret),)
                ).fetchone()
                if row and row[1] == "waiting":
                    database.execute("DELETE FROM corrections WHERE number = ?", row[:1])
                    taken += 1
                elif row:
                    reviewed += 1
        return TakenBack(taken, reviewed, len(wanted) - taken - reviewed)

    def page(self, state: str | None = None, after: int = 0, limit: int = 50) -> list[Correction]:
        """List corrections in a state, or all, whose number is above ``after``, the oldest first."""
        if state is not None and state not in STATES:
            raise BadInput(f"a correction's state is {', '.join(STATES)}. Received: {state[:40]!r}")
        with self._database.reading() as database:
            rows = database.execute(  # of our own columns
                f"SELECT {_COLUMNS} FROM corrections WHERE number > ? AND (? IS NULL OR state = ?) "  # noqa: S608
                "ORDER BY number LIMIT ?",
                (after, state, state, max(1, min(limit, PAGE))),
            ).fetchall()
        return [_correction(row) for row in rows]

    def all(self, state: str) -> Iterator[Correction]:
        """Give every correction in a state, page by page."""
        after = 0
        while page := self.page(state, after, PAGE):
            yield from page
            after = page[-1].number

    def counts(self) -> dict[str, int]:
        """Count those in each state."""
        with self._database.reading() as database:
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
        with self._database.changing() as database:
            numbers = [_number(database, id_) for id_ in dict.fromkeys(ids)]
            database.executemany(
                "UPDATE corrections SET state = ? WHERE number = ?", [(state, number) for number in numbers]
            )
            marks = ",".join("?" * len(numbers))
            rows = database.execute(  # of marks only
                f"SELECT {_COLUMNS} FROM corrections WHERE number IN ({marks}) ORDER BY number",  # noqa: S608
                numbers,
            ).fetchall()
        return [_correction(row) for row in rows]

    def export(self) -> bytes:
        """Zip the accepted ones, see :func:`backend.corrections.export.pack`."""
        return export.pack(self.all("accepted"))


def _correction(row: Sequence[Any]) -> Correction:
    number, id_, t, state, kind, predicted, digit, model, version, said, doubt, writer, session, *pictures = (
        row
    )
    opinion = Opinion(model, version, None if said is None else tuple(json.loads(said)), doubt)
    picture, seen = pictures
    return Correction(number, id_, t, state, kind, predicted, digit, opinion, writer, session, picture, seen)


def _number(database: sqlite3.Connection, id_: str) -> int:
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


def _name(key: str, session: str) -> str:
    """A session's name: the same for the same one, and of no use to whoever reads it."""
    return hmac.digest(key.encode(), b"session " + session.encode(), "sha256").hex()[:12]


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def _to_png(ink: NDArray[Any]) -> bytes:
    """Write the ink as a PNG of at most :data:`SIDE` pixels a side: no metadata, and nothing but a picture."""
    longest = max(ink.shape)
    if longest > SIDE:
        height, width = ink.shape
        size = max(1, round(width * SIDE / longest)), max(1, round(height * SIDE / longest))
        ink = cv2.resize(ink, size, interpolation=cv2.INTER_AREA)
    return cv2.imencode(".png", ink)[1].tobytes()
