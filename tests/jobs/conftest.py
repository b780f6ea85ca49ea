"""One suite, two databases: SQLite, and a real MariaDB where Debian's mariadb-server is installed."""

import contextlib
import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests.jobs import mariadb
from workbench.jobs import Store
from workbench.recipes import Recipe

RECIPE = Recipe("", "def load_data(): ...", "def build_model(): ...")
PASSWORD = "s3cr3t&/ü%"
EMPTY = (
    *(
        f"DELETE FROM {table}"
        for table in ("errors", "phases", "metrics", "machines", "job_times", "jobs", "recipes")
    ),
    "UPDATE turns SET taken = 0",
)


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.t = 1_795_000_000.0

    def __call__(self) -> float:
        return self.t


@pytest.fixture(scope="session")
def server() -> Iterator[mariadb.Server]:
    """The instance that all tests share."""
    if reason := mariadb.missing():
        pytest.skip(f"the job store on MariaDB is not tested: {reason}")
    with mariadb.run_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "mariadb"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has used."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fresh.db'}"
    server: mariadb.Server = request.getfixturevalue("server")
    return server.create_database("owner", PASSWORD)


@dataclass
class Opened:
    """A store that stays open over many tests, because opening one takes longer than using it."""

    url: str
    clock: Clock
    store: Store
    empty: Callable[[], None]


@pytest.fixture(scope="session", params=["sqlite", "mariadb"])
def opened(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    if request.param == "sqlite":
        path = tmp_path_factory.mktemp("store") / "jobs.db"
        url = f"sqlite:///{path}"
    else:
        running: mariadb.Server = request.getfixturevalue("server")
        url = running.create_database("owner", PASSWORD)

    def empty() -> None:
        if request.param == "sqlite":
            with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.executescript(";".join(("BEGIN", *EMPTY, "COMMIT")))
        else:
            running.execute(f"USE {sa.make_url(url).database}", *EMPTY)

    clock = Clock()
    with Store(url, clock=clock) as store:
        yield Opened(url, clock, store, empty)


@pytest.fixture
def store(opened: Opened) -> Store:
    """A store with nothing in it."""
    opened.empty()
    opened.clock.t = Clock().t
    return opened.store


@pytest.fixture
def clock(opened: Opened) -> Clock:
    """The store's clock."""
    return opened.clock


@pytest.fixture
def url(store: Store, opened: Opened) -> str:
    """The URL of the store, for others that open it as well."""
    return opened.url


@pytest.fixture
def submit(store: Store) -> Callable[..., int]:
    """Queues a job that is like all others but for what is given."""
    return lambda **values: store.submit(
        **{"name": "digits", "requester": "ann", "recipe": RECIPE, "ps": 1, "workers": 2, **values}
    )


@pytest.fixture(autouse=True)
def sent() -> Iterator[list[str]]:
    """The statements that were sent so far; whatever a test does, none of them removes a row."""
    statements: list[str] = []

    def note(connection: object, cursor: object, statement: str, *rest: object) -> None:
        statements.append(statement)

    sa.event.listen(sa.Engine, "before_cursor_execute", note)
    yield statements
    sa.event.remove(sa.Engine, "before_cursor_execute", note)
    removing = ("DELETE", "TRUNCATE", "DROP", "REPLACE")
    assert [statement for statement in statements if statement.lstrip().upper().startswith(removing)] == []


@pytest.fixture
def count_queries(sent: list[str]) -> Callable[[], int]:
    """How many questions were asked so far; beginnings of transactions are none."""
    return lambda: sum(statement.startswith(("SELECT", "(SELECT", "WITH")) for statement in sent)
