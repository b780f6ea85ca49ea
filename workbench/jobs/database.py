"""The connection to the database: SQLite or MariaDB by URL, its tables brought up to date, its errors made ours."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar
from urllib.parse import quote

import sqlalchemy as sa

from workbench.errors import BadInput, Unavailable, WorkbenchError

MIGRATIONS = Path(__file__).resolve().parent / "migrations"
BUSY_S = 30
"""How long a writer waits for another."""
ATTEMPTS = 8
_DEADLOCK = {1205, 1213}
"""MariaDB's numbers for: waited too long for a lock; was rolled back so that another could go on."""

P = ParamSpec("P")
T = TypeVar("T")


class Busy(Unavailable):
    """The transaction was rolled back in favour of another and can be tried again."""


def again(method: Callable[P, T]) -> Callable[P, T]:
    """Call the method again, from its beginning, where the database rolled it back in favour of another."""

    @wraps(method)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for attempt in range(1, ATTEMPTS):
            try:
                return method(*args, **kwargs)
            except Busy:
                time.sleep(0.01 * attempt)
        return method(*args, **kwargs)

    return call


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        status = file.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns, status.st_size


class Database:
    """A database that is there, with tables as this program knows them.

    Raises
    ------
    BadInput
        The URL is none, or names a kind of database that is not known here.
    Unavailable
        The database cannot be reached.
    """

    def __init__(self, url: str) -> None:
        try:
            self._url = sa.make_url(url)
        except (sa.exc.ArgumentError, ValueError):
            # Without the cause: it may quote the URL, and that may hold a password.
            raise BadInput(f"WORKBENCH_DATABASE_URL is no URL of a database; {_EXAMPLES}") from None
        kind = self._url.drivername
        if kind in ("sqlite", "sqlite+pysqlite"):
            self._engine = self._open_sqlite()
        elif kind.partition("+")[0] in ("mysql", "mariadb"):
            self._engine = self._open_mysql()
        else:
            raise BadInput(f"the job store cannot be kept in {kind!r}; {_EXAMPLES}")
        self._writer = self._engine.execution_options(writing=True)
        if self._engine.dialect.name != "sqlite":
            # Sees what others have committed since; takes no locks on what is not there.
            self._writer = self._writer.execution_options(isolation_level="READ COMMITTED")
        self._migrate()

    def close(self) -> None:
        """Close the connections; twice is fine."""
        self._engine.dispose()

    def stamp(self) -> object | None:
        """Give what differs after any change, for the price of two looks at files; ``None`` where only a query tells."""
        if self._engine.dialect.name != "sqlite" or self._url.database is None:
            return None
        return tuple(_stamp(Path(self._url.database + end)) for end in ("", "-wal"))

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one moment of the database."""
        with self._explaining(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[sa.Connection]:
        """A transaction that is committed at the end, or rolled back by an exception."""
        with self._explaining(), self._writer.begin() as connection:
            yield connection

    def _open_sqlite(self) -> sa.Engine:
        path = self._url.database
        if not path or path == ":memory:":
            raise BadInput(f"the job store must be a file that several processes can open; {_EXAMPLES}")
        file = Path(path).absolute()
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            # Only its owner may read it: recipes run as other users.
            os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        except OSError as error:
            raise Unavailable(
                f"the job store {file} cannot be written: {error.strerror}; see its folder's owner and free space"
            ) from error

        def connect() -> sqlite3.Connection:
            # mode=rw: a file that was taken away is an error, not a new, empty store.
            return sqlite3.connect(
                f"file:{quote(str(file))}?mode=rw",
                uri=True,
                timeout=BUSY_S,
                isolation_level=None,
                check_same_thread=False,
            )

        engine = sa.create_engine("sqlite://", creator=connect, poolclass=sa.NullPool, hide_parameters=True)

        @sa.event.listens_for(engine, "connect")
        def prepare(connection: Any, _: Any) -> None:
            connection.execute("PRAGMA foreign_keys = ON")

        @sa.event.listens_for(engine, "begin")
        def begin(connection: sa.Connection) -> None:
            writing = connection.get_execution_options().get("writing")
            # IMMEDIATE: a writer waits at its first statement; in the middle SQLite would not let it wait.
            connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")

        return engine

    def _open_mysql(self) -> sa.Engine:
        url = self._url.set(drivername="mysql+pymysql").update_query_dict({"charset": "utf8mb4"})
        # As bytes, because PyMySQL would take the text for Latin-1.
        password = {"password": str(url.password).encode()} if url.password else {}
        return sa.create_engine(
            url,
            hide_parameters=True,
            pool_pre_ping=True,
            connect_args={
                **password,
                "connect_timeout": 10,
                "read_timeout": 2 * BUSY_S,
                "write_timeout": 2 * BUSY_S,
                # Refuse what does not fit instead of cutting it.
                "init_command": f"SET SESSION sql_mode = CONCAT(@@sql_mode, ',STRICT_ALL_TABLES'), "
                f"innodb_lock_wait_timeout = {BUSY_S}",
            },
        )

    def _migrate(self) -> None:
        """Bring the tables up to date; of several processes that start at once one does it, the others wait."""
        with self.reading() as connection:
            if _revision(connection) == head():
                return
        if self._engine.dialect.name == "sqlite":
            self._set_wal()
            # One transaction: done whole or not at all, and nobody else writes meanwhile.
            with self.writing() as connection:
                self._upgrade(connection)
            return
        lock = f"workbench.{self._url.database}"[:64]
        with self._explaining(), self._engine.connect() as connection:
            if connection.scalar(sa.select(sa.func.get_lock(lock, BUSY_S))) != 1:
                raise Unavailable(
                    f"another process has been changing the tables of the job store {self} for {BUSY_S} s; "
                    "try again"
                )
            try:
                self._upgrade(connection)
                connection.commit()
            finally:
                connection.scalar(sa.select(sa.func.release_lock(lock)))

    def _set_wal(self) -> None:
        """Readers and a writer do not wait for each other from now on; the file remembers it."""
        give_up = time.monotonic() + BUSY_S
        while True:
            try:
                with self._explaining(), self._engine.connect() as connection:
                    raw = connection.connection.dbapi_connection
                    assert raw is not None
                    raw.cursor().execute("PRAGMA journal_mode = WAL")
                    return
            except sqlite3.OperationalError as error:
                # SQLite does not wait here by itself where two processes change the mode at once.
                if "locked" not in str(error) or time.monotonic() > give_up:
                    raise Unavailable(f"the job store {self} cannot be opened: {error}") from error
                time.sleep(0.01)

    def _upgrade(self, connection: sa.Connection) -> None:
        revision = _revision(connection)
        if revision == head():
            return
        if revision is not None and revision not in revisions():
            raise WorkbenchError(
                f"the job store {self} was written by a newer workbench (revision {revision}, known here: "
                f"{head()}); update this one"
            )
        # Here, because importing Alembic takes longer than opening a store that needs no change.
        import alembic.command
        import alembic.config

        config = alembic.config.Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
        config.set_main_option("path_separator", "os")
        alembic.command.upgrade(config, "head")

    def __str__(self) -> str:
        """The database's place without password or options."""
        if self._url.drivername.startswith("sqlite"):
            return str(self._url.database)
        return self._url.set(query={}).render_as_string(hide_password=True)

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except sa.exc.DBAPIError as error:
            cause: Any = error.orig
            number, reason = (cause.args[0], cause.args[-1]) if cause.args else (None, str(cause))
            if number in _DEADLOCK:
                raise Busy(f"the job store {self} is too busy; try again") from error
            for secret in self._secrets():
                reason = str(reason).replace(secret, "***")
            raise Unavailable(
                f"the job store {self} does not answer as it should: {reason}; "
                "see that WORKBENCH_DATABASE_URL names it and that it runs, is writable and has space"
            ) from error

    def _secrets(self) -> list[str]:
        options = (value for name, value in self._url.query.items() if "pass" in name.lower())
        return [str(secret) for secret in (self._url.password, *options) if secret]


_EXAMPLES = "use sqlite:////path/to/file.db or mysql+pymysql://user:password@host/database"


def revisions() -> list[str]:
    """The revisions that this program knows, oldest first."""
    return sorted(path.stem.partition("_")[0] for path in (MIGRATIONS / "versions").glob("[0-9]*_*.py"))


def head() -> str:
    """The newest of ``revisions()``."""
    return revisions()[-1]


def _revision(connection: sa.Connection) -> str | None:
    """The revision of the tables; ``None`` where there are none yet."""
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.scalar(sa.text("SELECT version_num FROM alembic_version"))
    return None if found is None else str(found)
