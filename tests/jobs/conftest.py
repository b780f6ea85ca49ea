"""One suite, two databases: SQLite, and a real MariaDB where Debian's mariadb-server is installed."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from tests import mariadb
from workbench.jobs import Store
from workbench.recipes import Recipe

RECIPE = Recipe("", "def load_data(): ...", "def build_model(): ...")
PASSWORD = "s3cr3t&/ü%"


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.t = 1_795_000_000.0

    def __call__(self) -> float:
        return self.t


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def server() -> Iterator[mariadb.Server]:
    """The instance that all tests share; each has a database of its own in it."""
    if reason := mariadb.missing():
        pytest.skip(f"the job store on MariaDB is not tested: {reason}")
    with mariadb.run_server() as running:
        yield running


@pytest.fixture(params=["sqlite", "mariadb"])
def fresh_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A database that nobody has used."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'fresh.db'}"
    return request.getfixturevalue("server").create_database("owner", PASSWORD)


@pytest.fixture(scope="session")
def _kept() -> dict[str, str]:
    """Databases with tables, made at most once, because making the tables is what takes time."""
    return {}


@pytest.fixture(params=["sqlite", "mariadb"])
def url(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
    _kept: dict[str, str],
) -> str:
    """A database with tables and nothing in them."""
    kind = request.param
    if kind not in _kept:
        _kept[kind] = f"sqlite:///{tmp_path_factory.mktemp('kept') / 'jobs.db'}"
        if kind == "mariadb":
            _kept[kind] = request.getfixturevalue("server").create_database("owner", PASSWORD)
        Store(_kept[kind]).close()
    if kind == "mariadb":
        request.getfixturevalue("server").empty(_kept[kind])
        return _kept[kind]
    copy = tmp_path / "jobs.db"
    shutil.copy(_kept[kind].removeprefix("sqlite:///"), copy)
    return f"sqlite:///{copy}"


@pytest.fixture
def store(url: str, clock: Clock) -> Iterator[Store]:
    with Store(url, clock=clock) as opened:
        yield opened


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
