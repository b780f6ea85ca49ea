"""The same faults with TensorFlow at work: what was learnt is kept, and the steps are counted right."""

import contextlib
import os
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chain import make_settings, wait_until
from workbench import events, runner
from workbench.jobs import ENDED, Job, Store
from workbench.machines import Place
from workbench.machines.local.processes import living
from workbench.machines.local.provider import LocalProvider, end_all
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.runner.faults import Rules
from workbench.settings import Settings

DATA = """
import numpy as np

def load_data():
    x = np.random.default_rng(0).normal(size=(800, 4)).astype("float32")
    y = (x.sum(1) > 0).astype("int64")
    return (x[:720], y[:720]), (x[720:], y[720:])
"""
MODEL = """
import os
import time
from pathlib import Path

import keras

EPOCHS = 60
BATCH_SIZE = 32

def pace(epoch, rate):
    give_up = time.monotonic() + min(epoch / 20, 5)
    while not any(os.path.exists(f"{one}/go_on") for one in Path.cwd().parents) and time.monotonic() < give_up:
        time.sleep(0.02)
    return rate

CALLBACKS = [keras.callbacks.LearningRateScheduler(pace)]

def build_model():
    misbehave()
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2, activation="softmax")])
    model.compile(keras.optimizers.Adam(0.01), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""
"""Takes a minute and a half, or as long as its steps need once somebody waits for its end (``go_on``): what is done to
it is done in time."""
STEPS = 60 * (648 // 32)
PATIENT = 240.0
"""Seconds that anything may take: others use this computer too."""


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """One home for all, so that TensorFlow is imported once."""
    settings = make_settings(tmp_path_factory.mktemp("training") / "home")
    settings.logs.mkdir(parents=True)
    yield settings
    end_all(settings)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    with Store(settings.database_url) as store:
        yield store
    assert living(settings.home) == []


def run(
    store: Store,
    settings: Settings,
    meanwhile: Callable[[int], None] = lambda id: None,
    *,
    misbehave: str = "pass",
    silent_s: float = 600,
    **layout: int,
) -> Job:
    """Run a job to its end in this process, and something else at the same time."""
    helpers = f"import os, time\nfrom pathlib import Path\n\n\ndef misbehave():\n    me = Path.cwd().parent.name\n    {misbehave}\n"
    id = store.submit(name="net", requester="ann", recipe=Recipe(helpers, DATA, MODEL), **layout)  # type: ignore[arg-type]
    assert store.claim("me", cap=1)
    failures: list[BaseException] = []

    def act() -> None:
        try:
            meanwhile(id)
            folder = settings.home / "jobs" / str(id)
            wait_until(lambda: folder.exists() or store.job(id).state in ENDED, PATIENT, "the job's folder")
            with contextlib.suppress(FileNotFoundError):  # it has ended
                (folder / "go_on").touch()
        except BaseException as failure:
            failures.append(failure)
            store.ask_terminate(id)

    acting = threading.Thread(target=act)
    acting.start()
    runner.run(id, "me", store, settings, rules=Rules(silent_s=silent_s, settle_s=5))
    acting.join()
    if failures:
        raise failures[0]
    return store.job(id)


def kill(settings: Settings, id: int, role: str, index: int) -> int:
    """Kill a machine's process once it is there; its number."""

    def find_and_kill() -> int | None:
        found = LocalProvider(settings).machines(f"job-{id}")
        pid = next((m.pid for m in found if m.place == Place(role, index) and m.pid), None)
        try:
            if pid:
                os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:  # it ended by itself, as when another machine is gone; it comes back
            return None
        return pid

    return int(wait_until(find_and_kill, PATIENT, f"{role} {index}"))


def wait_for_step(store: Store, id: int, step: int) -> None:
    wait_until(
        lambda: (store.job(id).step or 0) >= step or store.job(id).state in ENDED, PATIENT, f"step {step}"
    )
    assert store.job(id).state not in ENDED, store.job(id).error


def said(settings: Settings, id: int, place: str) -> str:
    """The log lines that a machine reported."""
    found, _ = events.read(settings.home / "jobs" / str(id) / "machines" / place / "events.jsonl")
    return "\n".join(event.line for event in found if isinstance(event, events.Log))


def check_completed(job: Job, settings: Settings) -> None:
    assert (job.state, job.error) == ("completed", None)
    assert job.step == job.of == STEPS
    assert job.accuracy is not None
    assert job.accuracy > 0.8
    assert registry.find(f"net:{job.version}", settings).manifest.job == job.id


def test_training_on_parameter_servers_survives_the_death_of_each_of_its_machines(
    store: Store, settings: Settings
) -> None:
    def meanwhile(id: int) -> None:
        for n, (role, index) in enumerate((("worker", 1), ("ps", 0), ("chief", 0)), 1):
            wait_for_step(store, id, n * STEPS // 5)
            kill(settings, id, role, index)

    job = run(store, settings, meanwhile, ps=1, workers=2)

    check_completed(job, settings)
    assert "going on from the checkpoint of step" in said(settings, job.id, "chief-0")


def test_synchronous_training_goes_on_from_the_checkpoint_after_a_worker_died(
    store: Store, settings: Settings
) -> None:
    def meanwhile(id: int) -> None:
        wait_for_step(store, id, STEPS // 3)
        kill(settings, id, "worker", 1)

    job = run(store, settings, meanwhile, workers=2)

    check_completed(job, settings)
    assert "going on from the checkpoint of step" in said(settings, job.id, "worker-0")


@pytest.mark.parametrize(
    ("misbehave", "message"),
    [
        ("if me == 'worker-1': raise ValueError('not on me')", "ValueError: not on me"),
        ("if me == 'worker-1': exit('bye')", "SystemExit: bye"),
        ("if me == 'worker-1': bytearray(10**12)", "MemoryError"),
    ],
    ids=["raises", "exits", "eats memory"],
)
def test_what_goes_wrong_in_the_recipe_on_one_worker_fails_the_job_with_its_place(
    store: Store, settings: Settings, misbehave: str, message: str
) -> None:
    job = run(store, settings, misbehave=misbehave, workers=2)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.role, job.error.index, job.error.field, job.error.line) == ("worker", 1, "helpers", 7)
    assert message in job.error.message
    assert 'File "helpers.py", line 7, in misbehave' in job.error.traceback


def test_a_worker_that_hangs_in_the_recipe_is_named(store: Store, settings: Settings) -> None:
    job = run(store, settings, misbehave="if me == 'worker-1': time.sleep(10**4)", silent_s=60, workers=2)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.role, job.error.index, job.error.field, job.error.line) == ("worker", 1, "helpers", 7)
    assert "worker 1 hangs in helpers, line 7" in job.error.message


def test_on_a_full_disk_the_last_good_checkpoint_stays(store: Store, settings: Settings) -> None:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        pytest.skip("needs root, to mount a small disk")
    disks = []

    def meanwhile(id: int) -> None:
        disk = settings.home / "jobs" / str(id) / "checkpoints"
        wait_for_step(store, id, STEPS // 4)
        full = disk / "full"
        with contextlib.suppress(OSError), full.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        wait_until(
            lambda: "was not written, the one before stays" in said(settings, id, "worker-0"), PATIENT, "it"
        )
        kill(settings, id, "worker", 0)
        full.unlink()

    next_id = max((job.id for job in store.jobs(limit=1)), default=0) + 1
    disk = settings.home / "jobs" / str(next_id) / "checkpoints"
    disk.mkdir(parents=True)
    try:
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m,mode=777", "tmpfs", disk], check=True)
        disks.append(disk)
        job = run(store, settings, meanwhile)
    finally:
        for disk in disks:
            subprocess.run(["umount", "-l", disk], check=True)

    check_completed(job, settings)
    assert "going on from the checkpoint of step" in said(settings, job.id, "worker-0")


def test_a_terminated_training_goes_on_from_its_checkpoint(store: Store, settings: Settings) -> None:
    def meanwhile(id: int) -> None:
        wait_for_step(store, id, STEPS // 4)
        store.ask_terminate(id)
        wait_until(lambda: store.job(id).state in ENDED, PATIENT, "its end")

    job = run(store, settings, meanwhile)
    assert job.state == "terminated"
    store.retry(job.id)
    assert store.claim("me again", cap=1)
    runner.run(job.id, "me again", store, settings)

    check_completed(store.job(job.id), settings)
    assert "going on from the checkpoint of step" in said(settings, job.id, "worker-0")
    assert Path(settings.home / "jobs" / str(job.id) / "checkpoints").exists() is False
