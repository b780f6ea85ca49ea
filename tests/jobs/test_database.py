"""The database: its tables through time, who may read it, and what is said when it goes away."""

import gc
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from tests.jobs import mariadb
from tests.jobs.conftest import PASSWORD, RECIPE
from workbench.errors import BadInput, Unavailable, WorkbenchError
from workbench.events import Metric
from workbench.jobs import Store, tables
from workbench.jobs.database import MIGRATIONS, head, revisions

PREVIOUS = revisions()[:-1]


@pytest.fixture
def engine(fresh_url: str) -> Iterator[sa.Engine]:
    """A way to the database that is not the store's."""
    made = sa.create_engine(fresh_url, poolclass=sa.NullPool)
    if made.dialect.name == "mysql":
        made = sa.create_engine(
            fresh_url, poolclass=sa.NullPool, connect_args={"password": PASSWORD.encode()}
        )
    yield made
    made.dispose()


def upgrade_to(engine: sa.Engine, revision: str) -> None:
    """Make the tables as they were at that revision."""
    with engine.begin() as connection:
        config = Config(attributes={"connection": connection})
        config.set_main_option("script_location", str(MIGRATIONS))
        config.set_main_option("path_separator", "os")
        upgrade(config, revision)


def fill_every_column(engine: sa.Engine) -> dict[str, list[dict[str, object]]]:
    """Put a row into every table as it is now; all rows of all tables."""
    values = {
        **{"state": "queued", "provider": "local", "requester": "ann", "name": "d", "role": "worker"},
        **{"datasets": "{}", "files": "[]"},
    }
    there = sa.MetaData()
    with engine.begin() as connection:
        there.reflect(connection)
        for table in there.sorted_tables:
            if table.name not in ("alembic_version", "turns"):
                row = {column.name: values.get(column.name, 1) for column in table.columns}
                connection.execute(table.insert().values(row))
    return read_all(engine, there)


def read_all(engine: sa.Engine, there: sa.MetaData) -> dict[str, list[dict[str, object]]]:
    with engine.connect() as connection:
        return {
            table.name: [dict(row) for row in connection.execute(sa.select(table)).mappings()]
            for table in there.sorted_tables
            if table.name != "alembic_version"
        }


def test_an_empty_database_gets_the_tables_that_the_queries_expect(fresh_url: str, engine: sa.Engine) -> None:
    Store(fresh_url).close()
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        differences = compare_metadata(context, tables.metadata)
        assert context.get_current_revision() == head()
    assert [d for d in differences if not (d[0] == "remove_index" and is_of_foreign_key(d[1]))] == []


def is_of_foreign_key(index: sa.Index) -> bool:
    """MariaDB gives each foreign key an index of its own."""
    assert index.table is not None
    return {column.name for column in index.columns} in [
        set(key.column_keys) for key in index.table.foreign_key_constraints
    ]


REPORTED = {
    *("step", "of", "epoch", "loss", "train_accuracy", "val_loss", "val_accuracy", "images_per_s", "eta_s"),
    *("metric_t", "validation_t", "metrics", "validations", "live"),
}
"""Columns of a job that its newest metric is written over."""


@pytest.mark.parametrize("revision", PREVIOUS)
def test_what_an_earlier_revision_wrote_is_kept(fresh_url: str, engine: sa.Engine, revision: str) -> None:
    upgrade_to(engine, revision)
    before = fill_every_column(engine)
    with Store(fresh_url) as store:
        assert store.job(1).state == "queued"
        assert store.claim("runner", cap=1) is not None
        store.apply(1, [Metric(2.0, "chief", 0, step=1, of=2, epoch=1, loss=0.5)])
        assert store.job(1).step == 1
    now = sa.MetaData()
    now.reflect(engine)
    after = read_all(engine, now)
    changed = {"state", "runner", "lease_until", "turn", "taken", *REPORTED}
    for name, rows in before.items():
        for row in rows:  # in whatever order a database gives them, and whatever was added
            wanted = {k: v for k, v in row.items() if k not in changed}
            assert wanted in [{k: kept[k] for k in wanted} for kept in after[name]]


@pytest.mark.parametrize("revision", PREVIOUS)
def test_an_upgrade_that_was_interrupted_is_finished(
    fresh_url: str, engine: sa.Engine, revision: str
) -> None:
    with Store(fresh_url) as store:
        id = store.submit(name="d", requester="ann", recipe=RECIPE)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = :r"), {"r": revision})
    with Store(fresh_url) as store:
        assert store.job(id).state == "queued"
        assert store.claim("runner", cap=1) is not None


def test_tables_of_a_newer_workbench_are_left_alone(fresh_url: str, engine: sa.Engine) -> None:
    Store(fresh_url).close()
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(WorkbenchError, match=r"newer workbench.*9999"):
        Store(fresh_url)


def test_the_revisions_are_a_line_whose_files_are_in_its_order() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    config.set_main_option("path_separator", "os")
    scripts = ScriptDirectory.from_config(config)
    assert [script.revision for script in scripts.walk_revisions()] == revisions()[::-1]
    assert scripts.get_current_head() == head()


def test_many_that_open_a_new_store_at_once_all_get_it(fresh_url: str) -> None:
    start = threading.Barrier(4)

    def begin(number: int) -> int:
        start.wait(60)
        with Store(fresh_url) as store:
            return store.submit(name="d", requester=f"r{number}", recipe=RECIPE)

    with ThreadPoolExecutor(4) as pool:
        ids = list(pool.map(begin, range(4)))
    with Store(fresh_url) as store:
        assert sorted(ids) == sorted(job.id for job in store.jobs())


def test_a_row_that_others_depend_on_is_held(store: Store) -> None:
    store.submit(name="d", requester="ann", recipe=RECIPE)
    with pytest.raises(Unavailable, match=r"(?i)foreign key"), store._database.writing() as connection:
        connection.execute(sa.update(tables.job_times).values(job=404))


def test_importing_the_workbench_or_opening_a_store_that_is_up_to_date_is_quick(fresh_url: str) -> None:
    Store(fresh_url).close()
    code = (
        "import sys, workbench; assert 'sqlalchemy' not in sys.modules; "
        "from workbench.jobs import Store; Store(sys.argv[1]).close(); assert 'alembic' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, fresh_url], check=True)


def test_readers_do_not_wait_for_a_writer_and_a_writer_waits_for_another(store: Store) -> None:
    id = store.submit(name="d", requester="ann", recipe=RECIPE)
    with ThreadPoolExecutor(1) as pool:
        with store._database.writing() as connection:
            connection.execute(sa.update(tables.jobs).values(name="changed"))
            assert store.job(id).name == "d"
            waiting = pool.submit(store.ask_terminate, id)
            with pytest.raises(TimeoutError):
                waiting.result(timeout=0.3)
        assert waiting.result(timeout=60)
    assert (store.job(id).name, store.job(id).state) == ("changed", "terminated")


def test_only_its_owner_may_read_the_file(tmp_path: Path) -> None:
    path = tmp_path / "not yet there" / "jobs.db"
    with Store(f"sqlite:///{path}") as store, store._database.writing() as connection:
        connection.execute(sa.update(tables.turns).values(taken=1))
        files = sorted(path.parent.iterdir())
        assert [file.name for file in files] == ["jobs.db", "jobs.db-shm", "jobs.db-wal"]
        assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


def test_a_path_may_hold_any_letters(tmp_path: Path) -> None:
    path = tmp_path / "Zürich 100% #1" / "jobs?.db"
    url = sa.URL.create("sqlite", database=str(path)).render_as_string()
    with Store(url) as store:
        store.submit(name="d", requester="ann", recipe=RECIPE)
    assert path.exists()


def test_a_file_that_was_taken_away_is_an_error_and_no_new_store(tmp_path: Path) -> None:
    path = tmp_path / "home" / "jobs.db"
    with Store(f"sqlite:///{path}") as store:
        id = store.submit(name="d", requester="ann", recipe=RECIPE)
        shutil.move(path.parent, tmp_path / "elsewhere")
        with pytest.raises(Unavailable, match="unable to open") as caught:
            store.jobs()
        assert str(path) in str(caught.value)
        with pytest.raises(Unavailable):
            store.ask_terminate(id)
        assert not path.exists()
        shutil.move(tmp_path / "elsewhere", path.parent)
        assert [job.id for job in store.jobs()] == [id], "it is back"


def test_a_file_that_is_no_database_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    path.write_text("a letter to my grandmother\n" * 100)
    with pytest.raises(Unavailable, match="not a database"):
        Store(f"sqlite:///{path}")
    assert path.read_text().startswith("a letter")


def test_a_place_where_no_file_can_be_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(Unavailable, match="cannot be written"):
        Store(f"sqlite:///{tmp_path / 'file' / 'jobs.db'}")


@pytest.mark.parametrize(
    "url",
    [
        f"no url {PASSWORD}",
        "",
        "sqlite://",
        "sqlite:///:memory:",
        f"postgresql://owner:{PASSWORD}@host/jobs",
        f"mysql+pymysql://owner:{PASSWORD}@host:port/jobs",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(BadInput, match="use sqlite:") as caught:
        Store(url)
    assert PASSWORD not in "".join(traceback.format_exception(caught.value))


def show(error: BaseException) -> str:
    """All that a terminal or a log could show of the error, causes included."""
    return "".join(traceback.format_exception(error)) + repr(error)


@pytest.fixture
def closes_sockets() -> Iterator[None]:
    """PyMySQL leaves its socket to the garbage collector when nobody listens; that warning is not ours."""
    yield
    gc.collect()


unclosed = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"
)


@unclosed
@pytest.mark.usefixtures("closes_sockets")
def test_a_server_that_does_not_let_us_in_is_an_error_without_the_password(server: mariadb.Server) -> None:
    url = server.create_database("owner", PASSWORD)
    for wrong in (
        sa.make_url(url).set(password=f"{PASSWORD}!"),
        sa.make_url(url).set(database="nobodys"),
        sa.make_url(url).update_query_dict({"unix_socket": "/nowhere"}),
        sa.make_url(url.replace(quote(PASSWORD, safe=""), "")).update_query_dict(
            {"password": PASSWORD + "!"}
        ),
    ):
        with pytest.raises(Unavailable, match="WORKBENCH_DATABASE_URL") as caught:
            Store(wrong.render_as_string(hide_password=False))
        shown = show(caught.value)
        assert PASSWORD not in shown
        assert "s3cr3t" not in shown
        assert "localhost" in str(caught.value)


@unclosed
@pytest.mark.usefixtures("closes_sockets")
@pytest.mark.parametrize("statement", ["SELECT jobs", "INSERT INTO metrics", "UPDATE jobs"])
def test_a_server_that_goes_away_in_the_middle_loses_the_transaction_and_is_used_again_when_it_is_back(
    server: mariadb.Server, statement: str
) -> None:
    ended: list[str] = []

    def end_server(connection: object, cursor: object, sent: str, *rest: object) -> None:
        if sent.startswith(statement) and not ended:
            ended.append(sent)
            server.stop()

    with Store(server.create_database("owner", PASSWORD)) as store:
        id = store.submit(name="d", requester="ann", recipe=RECIPE, ps=1)
        metric = Metric(2e9, "chief", 0, step=1, of=2, epoch=1, loss=0.5)
        sa.event.listen(sa.Engine, "before_cursor_execute", end_server)
        try:
            with pytest.raises(Unavailable, match="does not answer") as caught:
                store.apply(id, [metric])
            with pytest.raises(Unavailable, match="does not answer"):
                store.job(id)
        finally:
            sa.event.remove(sa.Engine, "before_cursor_execute", end_server)
            if ended:
                server.start()
        assert PASSWORD not in show(caught.value)
        assert store.job(id).progress is None, "nothing of the transaction stayed"
        store.apply(id, [metric])
        assert store.job(id).step == 1


def test_a_statement_that_fails_shows_none_of_its_values(store: Store) -> None:
    store.submit(name="d", requester="ann", recipe=RECIPE)
    with pytest.raises(Unavailable) as caught, store._database.writing() as connection:
        connection.execute(tables.recipes.insert().values(sha256=RECIPE.sha256, helpers="my code" * 2))
    assert "my codemy code" not in show(caught.value)


def test_sqlite_writes_ahead_and_checks_foreign_keys(tmp_path: Path) -> None:
    with Store(f"sqlite:///{tmp_path / 'jobs.db'}") as store, store._database.reading() as connection:
        assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
        assert connection.exec_driver_sql("PRAGMA busy_timeout").scalar() == 30_000
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as raw:
        assert raw.execute("PRAGMA journal_mode").fetchone() == ("wal",)
