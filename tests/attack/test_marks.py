"""Processes that say to be another job's machine, a service or a runner: only the kernel's word counts."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.chain import make_settings
from workbench.machines import Place
from workbench.machines.local import processes as machines
from workbench.machines.local import records
from workbench.machines.local.records import ClusterRecord
from workbench.machines.local.sandbox import MachineLimits
from workbench.machines.local.users import OF_JOBS, OF_OTHERS, choose_uid, uid_of_job
from workbench.runner import queue
from workbench.system import processes
from workbench.system.waiting import comes_true

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root runs machines as users of their own")

Start = Callable[[int, dict[str, str]], subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    started = []

    def begin(uid: int, environment: dict[str, str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            ["/bin/sleep", "600"], env=environment, user=uid, group=uid, extra_groups=[]
        )
        started.append(process)
        shown = Path(f"/proc/{process.pid}/environ")
        assert comes_true(lambda: b"WORKBENCH_" in shown.read_bytes(), 60, 0.01)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_recipe_cannot_pass_for_another_jobs_machine(start: Start, tmp_path: Path) -> None:
    mark = machines.mark(tmp_path, "job-10", Place("worker", 0))
    start(OF_JOBS[9], {"WORKBENCH_MACHINE": mark})
    assert machines.living(tmp_path) == []
    own = start(OF_JOBS[10], {"WORKBENCH_MACHINE": mark})
    assert [found.pid for found in machines.living(tmp_path)] == [own.pid]


def test_a_recipe_cannot_pass_for_a_service_a_runner_or_the_fork_server(start: Start, tmp_path: Path) -> None:
    warm = machines.mark(tmp_path, machines.PREWARMED, machines.PREWARMED_PLACE)
    process = start(
        OF_JOBS[9],
        {
            "WORKBENCH_SERVICE": f"back end@{tmp_path}",
            "WORKBENCH_RUNNER": f"12@{tmp_path}",
            "WORKBENCH_MACHINE": warm,
        },
    )
    assert queue.runners(make_settings(tmp_path)) == {}
    assert machines.find_warm(tmp_path) is None
    assert list(processes.marked(tmp_path)) == []
    assert processes.sweep(tmp_path) == 0
    assert queue.stop_all(make_settings(tmp_path)) == 0
    assert process.poll() is None


@pytest.mark.parametrize("digits", ["9" * 10, "9" * 5000, "٣", "²", "-1", "0x1", ""])
@pytest.mark.parametrize("uid", [0, OF_JOBS[9]])
def test_no_number_in_a_mark_stops_anybody(start: Start, tmp_path: Path, digits: str, uid: int) -> None:
    start(
        uid,
        {
            "WORKBENCH_MACHINE": f"job-1/worker/{digits}@{tmp_path}",
            "WORKBENCH_RUNNER": f"{digits}@{tmp_path}",
            "WORKBENCH_SERVICE": digits,
        },
    )
    assert machines.living(tmp_path) == []
    assert queue.runners(make_settings(tmp_path)) == {}
    assert list(processes.marked(tmp_path)) == []
    assert queue.stop_all(make_settings(tmp_path)) == 0


def test_no_name_that_one_may_choose_has_the_user_of_a_job() -> None:
    names = [
        "12",
        "x-12",
        "check-12",
        "job-12x",
        "job-",
        "job-٣",
        "preview-12",
        "check-00ff12",
        "job-1-2",
        "task-x-2",
    ]
    assert all(uid_of_job(name) is None and choose_uid(name, ()) in OF_OTHERS for name in names)
    assert {choose_uid(name, ()) for name in ("job-12", "task-12", "task-check-12")} == {OF_JOBS[12]}
    assert not set(OF_JOBS) & set(OF_OTHERS)


def record(home: Path, name: str) -> int:
    made = ClusterRecord((Place("worker", 0),), {}, None, "none", MachineLimits(10**9), 1.0)
    return records.create(home, name, made).uid


def test_no_two_clusters_of_a_home_have_one_user(tmp_path: Path) -> None:
    """Of 400 names that one may choose, 70 would have another's if it followed from the name alone."""
    names = [f"ours-{number}" for number in range(400)]
    assert len({choose_uid(name, ()) for name in names}) < 350
    assert len({record(tmp_path, name) for name in names}) == 400
    assert set(records.uids(tmp_path)) == set(names)


def test_what_runs_as_one_standing_cluster_cannot_pass_for_another(start: Start, tmp_path: Path) -> None:
    one, other = record(tmp_path, "one"), record(tmp_path, "other")
    for name in ("other", "gone", ".warm", "job-12"):
        start(one, {"WORKBENCH_MACHINE": f"{name}/worker/0@{tmp_path}"})
    assert machines.living(tmp_path) == []
    own = start(other, {"WORKBENCH_MACHINE": f"other/worker/0@{tmp_path}"})
    lost = start(OF_OTHERS[5], {"WORKBENCH_MACHINE": f"gone/worker/0@{tmp_path}"})
    assert {found.pid for found in machines.living(tmp_path)} == {own.pid, lost.pid}
