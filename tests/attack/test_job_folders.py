"""Recipes that leave something else in their job's folder, beside the export, than what a machine writes there."""

import contextlib
import os
import resource
import shutil
import threading
from pathlib import Path

import pytest

from tests.attack.hostile import SECRET, attack, nothing_leaked
from tests.runner.stand import RULES, works
from tests.stub_tools import measures, passes
from workbench import runner
from workbench.jobs import Store
from workbench.machines.fake import FakeProvider
from workbench.settings import Settings
from workbench.verbs import logs


@pytest.mark.parametrize("kind", ["fifo", "link", "folder"])
def test_events_that_are_no_file_end_the_job_at_once(
    store: Store, settings: Settings, secret: Path, kind: str
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        place = folder / "machines" / "worker-0" / "events.jsonl"
        place.unlink(missing_ok=True)
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "link":
            place.symlink_to(secret)
        else:
            place.mkdir()

    job = attack(store, settings, deed, secret, first=True)
    assert job.state == "failed"
    assert job.error is not None
    assert "events.jsonl" in job.error.message
    nothing_leaked(settings)


@pytest.mark.parametrize("kind", ["fifo", "link", "garbage", "gone", "lie"])
def test_job_json_is_not_believed_and_stops_nobody(
    store: Store, settings: Settings, secret: Path, kind: str
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        place = folder / "job.json"
        place.unlink()
        if kind == "fifo":
            os.mkfifo(place)
        elif kind == "link":
            place.symlink_to(secret)
        elif kind != "gone":
            place.write_text(
                "[" * 100_000 if kind == "garbage" else '{"attempt": 99, "cluster": 7, "job": 1}'
            )

    job = attack(store, settings, deed, secret)
    assert (job.state, job.version) == ("completed", 1)
    assert secret.read_text() == SECRET
    nothing_leaked(settings)


def test_what_is_exchanged_all_the_time_is_published_as_it_is_or_not_at_all(
    store: Store, settings: Settings, secret: Path
) -> None:
    over = threading.Event()

    def exchange(folder: Path) -> None:
        kept, link = folder / "kept", folder / "link"
        while not over.is_set():
            for name, aim in (("export", secret.parent), ("fields.json", secret)):
                with contextlib.suppress(OSError):
                    (folder / name).rename(kept)
                    link.symlink_to(aim)
                    link.rename(folder / name)
                    (folder / name).unlink()
                with contextlib.suppress(OSError):
                    kept.rename(folder / name)

    threads: list[threading.Thread] = []

    def deed(folder: Path, secret: Path) -> None:
        del secret
        threads.append(threading.Thread(target=exchange, args=(folder,)))
        threads[0].start()

    try:
        for _ in range(5):
            attack(store, settings, deed, secret)
            over.set()
            threads.pop().join()
            over.clear()
    finally:
        over.set()
    nothing_leaked(settings)


def test_a_million_lines_and_what_is_no_number_neither_stop_nor_deceive(
    store: Store, settings: Settings, secret: Path
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        own = b'{"t":%s,"role":"worker","index":0,"kind":"%s"%s}\n'
        lies = [
            own % (b"1e400", b"metric", b',"step":1,"of":1,"epoch":1'),
            own % (b"NaN", b"log", b',"line":"x"'),
            own % (b"1", b"metric", b',"step":NaN,"of":Infinity,"epoch":1'),
            own % (b"[" * 9000, b"log", b',"line":"x"'),
            own % (b"1", b"phase", b',"phase":"failed"'),
            b"\0" * 100_000 + b"\n",
        ]
        with (folder / "machines" / "worker-0" / "events.jsonl").open("ab") as file:
            for line in lies:
                file.write(line * 20)
            file.write((own % (b"9", b"log", b',"line":"x"')) * 200_000)

    job = attack(store, settings, deed, secret)
    assert (job.state, job.step, job.of) == ("completed", 4, 4)


def test_a_link_is_not_written_through_when_a_job_is_tried_again(
    store: Store, settings: Settings, secret: Path
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        shutil.rmtree(folder / "recipe")
        (folder / "recipe").symlink_to(secret.parent)
        (folder / "job.json").unlink()
        (folder / "job.json").symlink_to(secret)
        shutil.rmtree(folder / "machines")
        (folder / "machines").symlink_to(secret.parent)

    assert attack(store, settings, deed, secret, first=True).state == "failed"
    store.retry(1)
    job = store.claim("me", cap=1)
    assert job is not None
    (settings.home / "jobs" / "1" / "machines").unlink()  # which a real provider does; see test_machines
    runner.run(
        1,
        "me",
        store,
        settings,
        provider=FakeProvider(works),
        check=passes,
        measure=measures,
        rules=RULES,
    )
    assert store.job(1).state == "completed"
    assert [path.name for path in secret.parent.iterdir()] == ["services.json"]
    assert secret.read_text() == SECRET


def test_a_file_that_says_to_have_gigabytes_costs_no_memory(
    store: Store, settings: Settings, secret: Path
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        for name in ("fields.json", "export/model.keras", "job.json"):
            with (folder / name).open("wb") as file:
                file.truncate(3 * 1024**3)

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    job = attack(store, settings, deed, secret)
    assert job.state == "failed"
    assert job.error is not None
    assert "fields.json" in job.error.message
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000


def test_odd_folders_and_pipes_among_the_logs_are_left_out(settings: Settings) -> None:
    machines = settings.home / "jobs" / "1" / "machines"
    for name in (
        "worker-0",
        "worker-x",
        "worker-",
        "worker-7",
        "../x",
        "worker-٣",
        "-1",
        "worker-" + "9" * 30,
    ):
        (machines / name).mkdir(parents=True, exist_ok=True)
        (machines / name / "stdout.log").write_text("line\n")
    (machines / "worker-7" / "stdout.log").unlink()
    os.mkfifo(machines / "worker-7" / "stdout.log")
    (machines / "worker-8").symlink_to(machines / "worker-0")
    found = logs.list_logs(1, settings)
    assert [str(log.place) for log in found] == ["worker 0"]
    assert logs.read_lines(found[0]) == (["line"], 5)


def test_a_log_longer_than_any_of_ours_is_read_at_its_end(settings: Settings) -> None:
    place = settings.home / "jobs" / "1" / "machines" / "worker-0" / "stdout.log"
    place.parent.mkdir(parents=True)
    with place.open("wb") as file:
        file.truncate(3 * 1024**3)
        file.seek(0, os.SEEK_END)
        file.write(b"\nlast\n")
    (log,) = logs.list_logs(1, settings)
    lines, offset = logs.read_lines(log)
    assert lines[-1] == "last"
    assert offset == 3 * 1024**3 + 6
    assert logs.read_end(log, 100)[0] == "last\n"


def test_a_machine_that_writes_nothing_but_noise_is_heard_out(
    store: Store, settings: Settings, secret: Path
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        with (folder / "machines" / "worker-0" / "events.jsonl").open("ab") as file:
            file.write(b"[" * 100_000 + b"\n" + b'{"kind": "metric", "step": 1e308}\n' + b"\0" * 5_000_000)

    assert attack(store, settings, deed, secret).state == "completed"
