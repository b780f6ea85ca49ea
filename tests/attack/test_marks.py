"""Processes that say to be another job's machine, a service or a runner: only the kernel's word counts."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.chain import make_settings
from workbench.machines import Place
from workbench.machines.local import processes as machines
from workbench.machines.local.users import OF_JOBS, OF_OTHERS, uid_of_cluster
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
            ["/bin/sleep", "60"], env=environment, user=uid, group=uid, extra_groups=[]
        )
        started.append(process)
        assert comes_true(lambda: psutil.Process(process.pid).name() == "sleep", 10, 0.01)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_recipe_cannot_pass_for_another_jobs_machine(start: Start, tmp_path: Path) -> None:
    mark = machines.mark(tmp_path, "job-10", Place("worker", 0))
    start(uid_of_cluster("job-9"), {"WORKBENCH_MACHINE": mark})
    assert machines.living(tmp_path) == []
    own = start(uid_of_cluster("job-10"), {"WORKBENCH_MACHINE": mark})
    assert [found.pid for found in machines.living(tmp_path)] == [own.pid]


def test_a_recipe_cannot_pass_for_a_service_a_runner_or_the_fork_server(start: Start, tmp_path: Path) -> None:
    warm = machines.mark(tmp_path, machines.PREWARMED, machines.PREWARMED_PLACE)
    process = start(
        uid_of_cluster("job-9"),
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
    assert all(uid_of_cluster(name) in OF_OTHERS for name in names)
    assert (
        uid_of_cluster("job-12")
        == uid_of_cluster("task-12")
        == uid_of_cluster("task-check-12")
        == OF_JOBS[12]
    )
    assert not set(OF_JOBS) & set(OF_OTHERS)
