"""Our processes, found by their marks and ended with what is below them."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.chain import make_settings
from workbench.machines import Place
from workbench.machines.local import processes as machines
from workbench.runner import queue
from workbench.system import processes
from workbench.system.waiting import comes_true


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started = []

    def begin(**environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], env=environment)
        started.append(process)
        variable = next(iter(environment))
        assert comes_true(lambda: process.pid in {one.pid for one in processes.find(variable)}, 60, 0.01)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()


def test_a_mark_says_whose_process_it_is(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    before = time.time()
    process = start(WORKBENCH_MACHINE=machines.mark(tmp_path, "job-7", Place("worker", 1)).ljust(200))
    (found,) = machines.living(tmp_path)
    assert (found.pid, found.parent, found.cluster, found.place) == (
        process.pid,
        os.getpid(),
        "job-7",
        Place("worker", 1),
    )
    assert before - 5 < found.created < time.time() + 5
    assert machines.living(tmp_path.parent) == []


@pytest.mark.parametrize(
    "text",
    ["", "@", "x", "job-7/worker", "job-7/worker/x@{home}", "/1@{home}", "²@{home}", "x@{home}", "{home}"],
)
def test_a_mark_that_cannot_be_read_is_nobodys(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path, text: str
) -> None:
    mark = text.format(home=tmp_path)
    start(WORKBENCH_MACHINE=mark, WORKBENCH_RUNNER=mark)
    assert machines.living(tmp_path) == []
    assert machines.find_warm(tmp_path) is None
    assert queue.runners(make_settings(tmp_path)) == {}


def test_a_runner_is_found_by_its_job(start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path) -> None:
    process = start(WORKBENCH_RUNNER=f"12@{tmp_path}")
    assert queue.runners(make_settings(tmp_path)) == {process.pid: 12}


def test_services_are_found_by_name_and_ended(
    start: Callable[..., subprocess.Popen[bytes]], tmp_path: Path
) -> None:
    one = start(WORKBENCH_SERVICE=processes.mark(tmp_path, "one"))
    two = start(WORKBENCH_SERVICE=processes.mark(tmp_path, "two"))
    assert [p.pid for p in processes.marked(tmp_path, "one")] == [one.pid]
    assert {p.pid for p in processes.marked(tmp_path)} == {one.pid, two.pid}
    assert list(processes.marked(tmp_path / "other")) == []
    assert processes.sweep(tmp_path, "one") == 1
    assert not psutil.pid_exists(one.pid)
    assert two.poll() is None


def test_a_process_lives_until_it_has_ended_whether_or_not_somebody_waited_for_it() -> None:
    with subprocess.Popen(["cat"], stdin=subprocess.PIPE) as process:
        assert processes.lives(process.pid)
        assert process.stdin
        process.stdin.close()
        assert comes_true(lambda: not processes.lives(process.pid), 60, 0.01)
        assert psutil.pid_exists(process.pid), "nobody has waited for it yet"
    assert not processes.lives(process.pid)


def test_a_process_is_ended_with_all_below_it() -> None:
    code = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(600)'])"
    with subprocess.Popen([sys.executable, "-c", code]) as parent:
        assert comes_true(lambda: psutil.Process(parent.pid).children(), 60, 0.01)
        (child,) = psutil.Process(parent.pid).children()
        processes.end_at_once([parent.pid])
        assert comes_true(lambda: not processes.lives(child.pid), 60, 0.01)
    assert parent.returncode == -9
