"""How many drawings are taken in a minute: from one visitor, one writer, and all of them."""

import hmac
import sqlite3

from backend.corrections.values import COLLECTED, Giver
from workbench.errors import TooMany

WINDOW_S = 60.0
PER_VISITOR, PER_WINDOW = 30, 300
"""Corrections within :data:`WINDOW_S`, of one visitor and of all."""
PER_WRITER, PER_CLASS, PER_COLLECTING = 60, 600, 1_200
"""Collected digits within it: of one writer, of one address, behind which a whole class may sit, and of all."""
PER_SESSION = 300
"""Drawings that one writer may give in all."""


def take(database: sqlite3.Connection, giver: Giver, session: str, key: str, now: float) -> None:
    """Count a drawing, of the session that is kept under this name.

    Addresses are not kept: a keyed hash of each is, for a minute, to count by.

    Raises
    ------
    TooMany
        There were as many as may be.
    """
    who = hmac.digest(key.encode(), giver.visitor.encode(), "sha256").hex()[:16]
    database.execute("DELETE FROM posts WHERE t < ? OR t > ?", (now - WINDOW_S, now + WINDOW_S))
    if giver.kind == COLLECTED:
        given = database.execute("SELECT count(*) FROM corrections WHERE session = ?", (session,)).fetchone()
        if given[0] >= PER_SESSION:
            raise TooMany(f"one writer gives no more than {PER_SESSION} digits; thank you", after_s=3600.0)
        name = f"c:{who}:{session}"
        limits = [(name, PER_WRITER), (f"c:{who}:", PER_CLASS), ("c:", PER_COLLECTING)]
        many = f"no more than {PER_WRITER} digits a minute are taken from one writer; go on in a minute"
    else:
        name = f"v:{who}"
        limits = [(name, PER_VISITOR), ("v:", PER_WINDOW)]
        many = (
            f"no more than {PER_VISITOR} corrections a minute are taken from one visitor; go on in a minute"
        )
    for beginning, most in limits:
        count = database.execute(
            "SELECT count(*) FROM posts WHERE substr(visitor, 1, ?) = ?", (len(beginning), beginning)
        ).fetchone()[0]
        if count >= most:
            raise TooMany(many, after_s=WINDOW_S)
    database.execute("INSERT INTO posts VALUES (?, ?)", (name, now))
