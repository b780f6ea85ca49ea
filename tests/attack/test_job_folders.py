"""Recipes that leave something else in their job's folder than what a machine writes there.

The machines are entries of a dictionary; what a hostile recipe does in its process is done here, with its own folder.
"""

import contextlib
import json
import os
import resource
import shutil
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.chain import PATIENCE
from tests.runner.stand import RULES, export, leads, submit, train, works
from tests.stub_tools import ACCURACY, measures, passes
from workbench import runner
from workbench.jobs import Job, Store
from workbench.machines import Machine
from workbench.machines.fake import FakeProvider
from workbench.models import registry
from workbench.settings import Settings
from workbench.verbs import logs

SECRET = '{"token": "5EcReT", "labels": ["5EcReT"]}'
Deed = Callable[[Path, Path], None]
"""Does harm in the job's folder; the second path is a file that only the workbench may read."""


@pytest.fixture
def secret(settings: Settings, store: Store) -> Path:
    del store
    place = settings.home / "run" / "services.json"
    place.parent.mkdir()
    place.write_text(SECRET)
    return place


def attack(store: Store, settings: Settings, deed: Deed, secret: Path, *, first: bool = False) -> Job:
    """Run a job whose leading machine does its work and harm; ``first``: before it has reported anything."""
    submit(store)

    def does_harm(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        if leads(machine, folder):
            if first:
                deed(folder, secret)
            else:
                train(machine, folder)
                deed(folder, secret)
        provider.end(machine.cluster, machine.place, 0)

    job = store.claim("me", cap=1)
    assert job is not None
    began = time.monotonic()
    runner.run(
        job.id,
        "me",
        store,
        settings,
        provider=FakeProvider(does_harm),
        check=passes,
        measure=measures,
        rules=RULES,
    )
    assert time.monotonic() - began < 15 * PATIENCE
    return store.job(job.id)


def nothing_leaked(settings: Settings) -> None:
    """The secret stands nowhere but in its own file, not in what is published, shown or kept."""
    for path in settings.home.rglob("*"):
        if (
            path.is_file()
            and not path.is_symlink()
            and path.stat().st_nlink == 1
            and path.name != "services.json"
        ):
            assert b"5EcReT" not in path.read_bytes(), path


def export_is_a_link(to: str) -> Deed:
    def deed(folder: Path, secret: Path) -> None:
        shutil.rmtree(folder / "export")
        (folder / "export").symlink_to(to.format(home=secret.parent.parent))

    return deed


def link_in_export(folder: Path, secret: Path) -> None:
    (folder / "export" / "stolen.json").symlink_to(secret)


def linked_folder_in_export(folder: Path, secret: Path) -> None:
    (folder / "export" / "deep").symlink_to(secret.parent)


def fields_is_a_link(folder: Path, secret: Path) -> None:
    (folder / "fields.json").unlink()
    (folder / "fields.json").symlink_to(secret)


def fields_is_a_fifo(folder: Path, secret: Path) -> None:
    del secret
    (folder / "fields.json").unlink()
    os.mkfifo(folder / "fields.json")


def fifo_in_export(folder: Path, secret: Path) -> None:
    del secret
    os.mkfifo(folder / "export" / "pipe")


def many_files(folder: Path, secret: Path) -> None:
    del secret
    for number in range(1200):
        (folder / "export" / str(number)).touch()


def odd_names(folder: Path, secret: Path) -> None:
    del secret
    (folder / "export" / "a\x1b]0;title\x07b").touch()


def hard_link_in_export(folder: Path, secret: Path) -> None:
    (folder / "export" / "stolen.json").hardlink_to(secret)


def fields_is_a_hard_link(folder: Path, secret: Path) -> None:
    (folder / "fields.json").unlink()
    (folder / "fields.json").hardlink_to(secret)


def link_to_a_descriptor(folder: Path, secret: Path) -> None:
    held = os.open(secret, os.O_RDONLY)
    (folder / "export" / "stolen.json").symlink_to(f"/proc/self/fd/{held}")


def export_is_a_descriptor(folder: Path, secret: Path) -> None:
    held = os.open(secret.parent, os.O_RDONLY)
    shutil.rmtree(folder / "export")
    (folder / "export").symlink_to(f"/proc/{os.getpid()}/fd/{held}")


def socket_in_export(folder: Path, secret: Path) -> None:
    del secret
    with socket.socket(socket.AF_UNIX) as made:
        here = os.open(folder / "export", os.O_RDONLY)
        made.bind(f"/proc/self/fd/{here}/s")  # an own path may be too long for one
        os.close(here)


def device_in_export(folder: Path, secret: Path) -> None:
    if os.geteuid() != 0:
        link_in_export(folder, secret)
        return
    os.mknod(folder / "export" / "zero", 0o666 | stat.S_IFCHR, os.makedev(1, 5))


def names_that_are_no_text(folder: Path, secret: Path) -> None:
    del secret
    inner = os.fsencode(folder / "export") + b"/" + b"\xff" * 255
    os.mkdir(inner)  # noqa: PTH102 - no path of bytes
    os.close(os.open(inner + b"/" + b"\xfe" * 255, os.O_CREAT | os.O_WRONLY))


def folders_without_end(folder: Path, secret: Path) -> None:
    del secret
    inner = os.open(folder / "export", os.O_RDONLY)
    for _ in range(100):
        os.mkdir("d", dir_fd=inner)
        inner, above = os.open("d", os.O_RDONLY, dir_fd=inner), inner
        os.close(above)
    os.close(inner)


def sparse_in_export(folder: Path, secret: Path) -> None:
    del secret
    with (folder / "export" / "model.onnx").open("wb") as file:
        file.truncate(3 * 1024**3)


@pytest.mark.parametrize(
    "deed",
    [
        hard_link_in_export,
        fields_is_a_hard_link,
        link_to_a_descriptor,
        export_is_a_descriptor,
        socket_in_export,
        device_in_export,
        names_that_are_no_text,
        folders_without_end,
        sparse_in_export,
        export_is_a_link("{home}/run"),
        export_is_a_link("/proc/self/cwd"),
        export_is_a_link("/proc/self/root/etc"),
        link_in_export,
        linked_folder_in_export,
        fields_is_a_link,
        fields_is_a_fifo,
        fifo_in_export,
        many_files,
        odd_names,
    ],
)
def test_what_is_no_plain_export_is_refused_and_nothing_of_the_host_gets_out(
    store: Store, settings: Settings, secret: Path, deed: Deed
) -> None:
    job = attack(store, settings, deed, secret)
    assert job.state == "failed"
    assert job.error is not None
    assert "the runner failed" not in job.error.message
    assert registry.versions(settings) == []
    nothing_leaked(settings)


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


@pytest.mark.parametrize(
    "told",
    [
        {"created": "yesterday", "name": "other", "version": 77, "job": 12},
        {"created": 5, "name": ["x"], "version": "9" * 400, "job": {}, "files": 7},
        {"frameworks": {}, "hint": "<img src=x>", "format": "none"},
        {"metrics": {"accuracy": "<b>1e9"}, "output": []},
        {"metrics": {"accuracy": 1.0, "low": 1e9, "invented": 3}, "corrections": {"version": 10**400}},
        {"metrics": [], "corrections": "all"},
    ],
)
def test_a_version_is_named_numbered_dated_and_measured_by_others(
    store: Store, settings: Settings, secret: Path, told: dict[str, object]
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        fields = json.loads((folder / "fields.json").read_text())
        (folder / "fields.json").write_text(json.dumps({**fields, **told}))

    job = attack(store, settings, deed, secret)
    assert job.state == "completed"
    manifest = registry.find("net:1", settings).manifest
    assert (manifest.name, manifest.version, manifest.job) == ("net", 1, job.id)
    assert manifest.created.startswith("20")
    assert not manifest.others
    assert (manifest.metrics, manifest.corrections) == ({"accuracy": ACCURACY}, None)


@pytest.mark.parametrize(
    "told",
    [
        {"labels": ["a", 5]},
        {"labels": ["x" * 5000]},
        {"labels": ["x"] * 200_000},
        {"frameworks": "x"},
        {"frameworks": {"python": 3}},
        {"training": {"seconds": -1}},
        {"training": {"stopped": "yes"}},
        {"input": {"shape": [2**40]}},
        {"input": {"shape": [1] * 40}},
        {"preprocessing": "rm -rf"},
    ],
)
def test_what_an_export_says_of_itself_must_be_possible(
    store: Store, settings: Settings, secret: Path, told: dict[str, object]
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        fields = json.loads((folder / "fields.json").read_text())
        (folder / "fields.json").write_text(json.dumps({**fields, **told}))

    job = attack(store, settings, deed, secret)
    assert job.state == "failed"
    assert job.error is not None
    (key,) = told
    assert key in job.error.message or "fields.json" in job.error.message
    assert "the runner failed" not in job.error.message
    assert registry.versions(settings) == []


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


def test_an_export_is_copied_as_it_is(store: Store, settings: Settings, secret: Path) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        shutil.rmtree(folder / "export")
        export(folder)
        (folder / "export" / "saved_model" / "variables").mkdir(parents=True)
        (folder / "export" / "saved_model" / "variables" / "index").write_bytes(b"\0\1")

    assert attack(store, settings, deed, secret).state == "completed"
    version = registry.find("net:1", settings)
    assert (version.folder / "saved_model" / "variables" / "index").read_bytes() == b"\0\1"
    assert {"model.keras", "saved_model/variables/index"} <= set(version.manifest.files)


def test_a_machine_that_writes_nothing_but_noise_is_heard_out(
    store: Store, settings: Settings, secret: Path
) -> None:
    def deed(folder: Path, secret: Path) -> None:
        del secret
        with (folder / "machines" / "worker-0" / "events.jsonl").open("ab") as file:
            file.write(b"[" * 100_000 + b"\n" + b'{"kind": "metric", "step": 1e308}\n' + b"\0" * 5_000_000)

    assert attack(store, settings, deed, secret).state == "completed"
