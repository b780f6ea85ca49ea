"""Real processes are killed, of machines, runners and whole computers; the node is a stub, so that it is quick."""

import contextlib
import itertools
import os
import shutil
import signal
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests import stub_runner
from tests.chain import make_settings, wait_until
from tests.machines.bench import clear
from workbench import runner
from workbench.jobs import ENDED, Job, Store
from workbench.machines import Machine, Place
from workbench.machines.local.processes import living
from workbench.machines.local.provider import LocalProvider
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.settings import Settings

SLOW = """STEPS = 150
import os, time
def step(place, n):
    give_up = time.monotonic() + min(n / 10, 5)
    while n > 3 and not os.path.exists("../../go_on") and time.monotonic() < give_up: time.sleep(0.02)
"""
"""Takes ten minutes, or three seconds once somebody waits for its end (``end``): what is done to it is done in time."""
PATIENT_S = 90.0
"""What anything may take: others use this computer too."""


@pytest.fixture
def settings(warm_home: Path) -> Iterator[Settings]:
    settings = replace(make_settings(warm_home), max_jobs=2, max_jobs_per_requester=1)
    yield settings
    for pid in runner.runners(settings):
        os.kill(pid, signal.SIGKILL)
    clear(warm_home)
    shutil.rmtree(settings.models, ignore_errors=True)
    for path in (*warm_home.glob("workbench.db*"), *warm_home.glob("logs/job-*")):
        path.unlink()


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    settings.logs.mkdir(exist_ok=True)
    with Store(settings.database_url) as store:
        yield store


def submit(store: Store, training: str = SLOW, **more: object) -> int:
    values = {"name": "net", "requester": "ann", "recipe": Recipe("", "", training), **more}
    return store.submit(**values)  # type: ignore[arg-type]


def begin(store: Store, settings: Settings, training: str = SLOW, **more: object) -> int:
    """Submit a job, start its runner and wait until it trains."""
    id = submit(store, training, **more)
    stub_runner.tick(store, settings)
    wait_until(
        lambda: (store.job(id).step or 0) > 3 or store.job(id).state in ENDED, PATIENT_S, "the training"
    )
    return id


def end(store: Store, settings: Settings, id: int, timeout_s: float = PATIENT_S) -> Job:
    """Let the job go on to its end; gives it when nobody works at it any more."""

    def has_ended() -> bool:
        with contextlib.suppress(FileNotFoundError):  # one that waits for its turn has no folder yet
            (settings.home / "jobs" / str(id) / "go_on").touch()
        return store.job(id).state in ENDED and store.job(id).lease is None

    wait_until(has_ended, timeout_s, "the job's end")
    return store.job(id)


def machine(settings: Settings, id: int, role: str, index: int = 0) -> Machine:
    """One that lives, once it does: it may be on its way into its next life."""

    def alive() -> Machine | None:
        found = LocalProvider(settings).machines(f"job-{id}")
        return next((m for m in found if m.place == Place(role, index) and m.pid), None)

    found: Machine = wait_until(alive, PATIENT_S, f"{role} {index}")
    return found


def kill(settings: Settings, id: int, role: str, index: int = 0) -> None:
    pid = machine(settings, id, role, index).pid
    assert pid
    os.kill(pid, signal.SIGKILL)


def diary(settings: Settings, id: int) -> str:
    return (settings.logs / f"job-{id}.jsonl").read_text()


@pytest.mark.parametrize("role", ["worker", "ps", "chief"])
def test_a_job_survives_the_death_of_any_of_its_machines(store: Store, settings: Settings, role: str) -> None:
    id = begin(store, settings, ps=1, workers=2)

    kill(settings, id, role)

    job = end(store, settings, id)
    assert (job.state, job.step, job.of) == ("completed", 150, 150)
    assert f"{role} 0 ended: signal SIGKILL" in diary(settings, id)
    assert registry.find(f"net:{job.version}", settings).manifest.job == id


def test_synchronous_workers_go_on_from_the_checkpoint_after_one_died(
    store: Store, settings: Settings
) -> None:
    id = begin(store, settings, workers=2)

    kill(settings, id, "worker", 1)

    job = end(store, settings, id)
    assert (job.state, job.step) == ("completed", 150)
    log = (settings.home / "jobs" / str(id) / "machines" / "worker-0" / "events.jsonl").read_text()
    assert "goes on from step" in log


def test_a_job_whose_runner_is_killed_is_taken_up_with_its_machines(store: Store, settings: Settings) -> None:
    id = begin(store, settings, workers=2)
    before = [machine(settings, id, "worker", index).pid for index in (0, 1)]
    (pid,) = runner.runners(settings)

    os.kill(pid, signal.SIGKILL)
    expire_lease(settings, id)
    assert stub_runner.tick(store, settings) == [id]

    wait_until(lambda: "takes up 2 running machines" in diary(settings, id), PATIENT_S, "the new runner")
    assert [machine(settings, id, "worker", index).pid for index in (0, 1)] == before
    job = end(store, settings, id)
    assert (job.state, job.step, job.attempt) == ("completed", 150, 1)


def test_after_a_power_cut_the_job_goes_on_from_its_checkpoint(store: Store, settings: Settings) -> None:
    id = begin(store, settings, ps=1, workers=1)
    victims = [*runner.runners(settings), *(found.pid for found in living(settings.home))]

    for pid in victims:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_until(lambda: not living(settings.home), PATIENT_S, "the end of all")
    expire_lease(settings, id)
    stub_runner.tick(store, settings)

    job = end(store, settings, id)
    assert (job.state, job.step) == ("completed", 150)
    log = (settings.home / "jobs" / str(id) / "machines" / "chief-0" / "events.jsonl").read_text()
    assert "goes on from step" in log


@pytest.mark.parametrize(
    ("recipe", "place", "message"),
    [
        (
            "def step(place, n):\n    if place == 'worker 1' and n > 5: 1 / 0\n",
            "worker 1",
            "ZeroDivisionError",
        ),
        (
            "def step(place, n):\n    if place == 'worker 1' and n > 5: exit('bye')\n",
            "worker 1",
            "SystemExit: bye",
        ),
        ("import os\ndef step(place, n):\n    if n > 5: os._exit(0)\n", "worker 0", "exit code 0"),
        ("def step(place, n):\n    if n > 5: x = bytearray(10**12)\n", "worker 0", "MemoryError"),
    ],
    ids=["raises on one worker", "calls exit", "ends its process", "eats memory"],
)
def test_what_a_recipe_does_wrong_fails_its_job_with_role_and_reason(
    store: Store, settings: Settings, recipe: str, place: str, message: str
) -> None:
    id = begin(store, settings, SLOW + recipe, workers=2)

    job = end(store, settings, id)

    assert job.state == "failed"
    assert job.error is not None
    assert f"{job.error.role} {job.error.index}" == place
    assert message in job.error.message
    assert registry_of(settings, id) == []


def test_a_recipe_that_hangs_fails_its_job_with_the_place_where_it_hangs(
    store: Store, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_SILENT_S", "30")
    hang = "import time\ndef step(place, n):\n    if n > 5: time.sleep(1000)\n"
    id = begin(store, settings, "STEPS = 50\n" + hang)

    job = end(store, settings, id)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.role, job.error.index, job.error.field, job.error.line) == ("worker", 0, "training", 4)
    assert "worker 0 hangs in training, line 4" in job.error.message


def test_a_recipe_that_prints_a_gigabyte_neither_fills_the_disk_nor_fails(
    store: Store, settings: Settings
) -> None:
    id = begin(
        store, settings, "import sys\nfor _ in range(1000): sys.stdout.write('x' * 10**6)\nSTEPS = 5\n"
    )

    assert end(store, settings, id).state == "completed"
    folder = settings.home / "jobs" / str(id)
    assert sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) < 20_000_000


@pytest.mark.parametrize("state", ["queued", "initializing", "training"])
def test_terminating_leaves_no_process(store: Store, settings: Settings, state: str) -> None:
    wait = "import time\ndef before(place): time.sleep(1000)\n" if state == "initializing" else ""
    id = submit(store, SLOW + wait, ps=1, workers=2)
    if state != "queued":
        stub_runner.tick(store, settings)
    wait_until(lambda: store.job(id).state == state, PATIENT_S, state)

    job = runner.terminate(id, store, settings, wait_s=PATIENT_S)

    assert job.state == "terminated"
    assert living(settings.home) == []
    wait_until(lambda: not runner.runners(settings), PATIENT_S, "the runner's end")


def test_a_job_is_terminated_although_its_runner_is_dead(store: Store, settings: Settings) -> None:
    id = begin(store, settings)
    (pid,) = runner.runners(settings)
    os.kill(pid, signal.SIGKILL)

    job = runner.terminate(id, store, settings)

    assert (job.state, job.lease) == ("terminated", None)
    assert living(settings.home) == []


def test_a_terminated_job_goes_on_where_it_was_or_begins_anew(store: Store, settings: Settings) -> None:
    id = begin(store, settings)
    runner.terminate(id, store, settings)
    events = settings.home / "jobs" / str(id) / "machines" / "worker-0" / "events.jsonl"

    store.retry(id)
    stub_runner.tick(store, settings)
    wait_until(lambda: "goes on from step" in events.read_text(), PATIENT_S, "the new attempt")
    runner.terminate(id, store, settings)
    events.unlink()
    store.retry(id, anew=True)
    stub_runner.tick(store, settings)

    assert end(store, settings, id).state == "completed"
    assert "goes on from step" not in events.read_text()


def test_ending_everything_leaves_jobs_that_go_on_later(store: Store, settings: Settings) -> None:
    id = begin(store, settings, workers=2)

    assert runner.stop_all(settings) >= 2

    assert runner.runners(settings) == {}
    assert living(settings.home) == []
    assert (store.job(id).state, store.job(id).lease) == ("training", None)
    stub_runner.tick(store, settings)
    assert (end(store, settings, id).state, store.job(id).step) == ("completed", 150)


def test_twenty_jobs_of_four_requesters_take_fair_turns_within_the_cap(
    store: Store, settings: Settings
) -> None:
    names = ["ann"] * 14 + ["bob"] * 3 + ["cy"] * 2 + ["di"]
    ids = [submit(store, "STEPS = 3\n", requester=name) for name in names]
    stub_runner.tick(store, settings)

    most = 0
    while any(store.job(id).state not in ENDED for id in ids):
        most = max(most, len({found.cluster for found in living(settings.home)}))
        time.sleep(0.05)

    done = [end(store, settings, id) for id in ids]
    assert [job.state for job in done] == ["completed"] * 20
    assert 1 <= most <= 2
    order = [job.requester for job in sorted(done, key=lambda job: job.times["initializing"])]
    assert sorted(order[:4]) == ["ann", "bob", "cy", "di"]
    assert sorted(order[4:7]) == ["ann", "bob", "cy"]
    for name, jobs in itertools.groupby(
        sorted(done, key=lambda j: (j.requester, j.id)), lambda j: j.requester
    ):
        began = [job.times["initializing"] for job in jobs]
        assert began == sorted(began), name
    assert [v.version for v in registry.versions(settings, "net")][-20:] == sorted(
        job.version or 0 for job in done
    )


def registry_of(settings: Settings, id: int) -> list[registry.Version]:
    return [v for v in registry.versions(settings) if v.manifest.job == id]


def expire_lease(settings: Settings, id: int) -> None:
    """Let the time pass after which a silent runner counts as dead."""
    with sqlite3.connect(settings.home / "workbench.db") as connection:
        connection.execute("UPDATE jobs SET lease_until = 0 WHERE id = ?", (id,))
    connection.close()
