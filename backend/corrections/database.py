"""The SQLite file of the corrections: opened for one look or one change, brought to its newest form first."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import Full, WorkbenchError

FORM = 2
"""Of the tables; ``PRAGMA user_version`` says which one a file has. The first one said 0, as an empty file does."""
_TABLES = """
CREATE TABLE IF NOT EXISTS corrections (
    number INTEGER PRIMARY KEY, id TEXT UNIQUE NOT NULL, t TEXT NOT NULL, state TEXT NOT NULL,
    predicted INTEGER, digit INTEGER NOT NULL, model TEXT, version INTEGER, picture BLOB NOT NULL, seen BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS by_state ON corrections (state, number);
CREATE TABLE IF NOT EXISTS posts (visitor TEXT NOT NULL, t REAL NOT NULL);
ALTER TABLE corrections ADD COLUMN kind TEXT NOT NULL DEFAULT 'correction';
ALTER TABLE corrections ADD COLUMN writer TEXT NOT NULL DEFAULT '';
ALTER TABLE corrections ADD COLUMN session TEXT NOT NULL DEFAULT '';
ALTER TABLE corrections ADD COLUMN secret TEXT;
ALTER TABLE corrections ADD COLUMN probabilities TEXT;
ALTER TABLE corrections ADD COLUMN doubt TEXT;
CREATE INDEX by_session ON corrections (session);
CREATE INDEX by_secret ON corrections (secret);
"""


class Database:
    """The file; many threads and processes may use it at once."""

    def __init__(self, file: Path, max_bytes: int) -> None:
        self._file, self._max_bytes = file, max_bytes

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """Open it.

        Raises
        ------
        Full, WorkbenchError
            There is no room left; it cannot be read or written.
        """
        self._file.parent.mkdir(parents=True, exist_ok=True)
        try:
            database = sqlite3.connect(self._file, timeout=5.0, isolation_level=None)
            try:
                database.execute("PRAGMA journal_mode = WAL")
                database.execute("PRAGMA synchronous = FULL")
                database.execute("PRAGMA secure_delete = ON")  # what was taken back is gone
                database.execute(f"PRAGMA max_page_count = {self._max_bytes // 4096}")
                database.execute("PRAGMA journal_size_limit = 4194304")
                if _form(database) < FORM:
                    _bring_up(database)
                yield database
            finally:
                database.close()
        except sqlite3.Error as error:
            raise _explain(error) from error

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """Make one change, whole or not at all."""
        with self.reading() as database, _transaction(database):
            yield database


@contextmanager
def _transaction(database: sqlite3.Connection) -> Iterator[None]:
    database.execute("BEGIN IMMEDIATE")
    try:
        yield
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _form(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _bring_up(database: sqlite3.Connection) -> None:
    with _transaction(database):
        if _form(database) < FORM:  # another process may have been quicker
            for statement in _TABLES.split(";"):
                database.execute(statement)
            database.execute(f"PRAGMA user_version = {FORM}")


def _explain(error: sqlite3.Error) -> WorkbenchError:
    name = getattr(error, "sqlite_errorname", "") or ""
    if name == "SQLITE_FULL" or name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return Full("there is no room left for corrections; nothing was stored")
    return WorkbenchError(f"the corrections could not be read or written: {error}")
