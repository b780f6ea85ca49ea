"""A time limit that counts work: a process that others keep from a core has longer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.system.worked_time import WorkedTime, read_threads, share_had

S = 1_000_000_000


class Process:
    """Has one thread that does as it is told."""

    def __init__(self) -> None:
        self.now, self.ran, self.waited = 0.0, 0, 0

    def pass_time(self, seconds: float, *, ran: float = 0.0, waited: float = 0.0) -> None:
        self.now += seconds
        self.ran += int(ran * S)
        self.waited += int(waited * S)

    def clock(self) -> WorkedTime:
        return WorkedTime(1, lambda pid: {"1": (self.ran, self.waited)}, lambda: self.now)


@pytest.mark.parametrize(
    ("ran", "waited", "counted"),
    [(10, 0, 10), (2.5, 7.5, 2.5), (0, 0, 10), (1, 1, 9), (0, 10, 0)],
    ids=["alone", "one core in four", "asleep", "asleep but for a little", "no core at all"],
)
def test_waiting_for_a_core_is_not_counted(ran: float, waited: float, counted: float) -> None:
    process = Process()
    clock = process.clock()
    process.pass_time(10, ran=ran, waited=waited)
    assert clock.seconds() == pytest.approx(counted)


def test_the_time_goes_on_between_two_looks_and_never_back() -> None:
    process = Process()
    clock = process.clock()
    seen = [0.0]
    for _ in range(50):
        process.pass_time(0.2, ran=0.05, waited=0.15)
        seen.append(clock.seconds())
    assert seen == sorted(seen)
    assert seen[-1] < 4
    process.pass_time(5)
    assert clock.seconds() >= seen[-1] + 4.5


def test_many_threads_count_as_the_share_that_had_a_core() -> None:
    before = {str(t): (0, 0) for t in range(8)}
    after = {str(t): (S, 3 * S) for t in range(8)}
    assert share_had(before, after, 4.0) == pytest.approx(0.25)
    assert share_had(after, before, 4.0) == 1.0  # threads ended, others have their numbers


def test_a_process_that_is_gone_has_no_threads() -> None:
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert read_threads(child.pid) == {}
    assert read_threads(os.getpid()) or not Path("/proc/self/schedstat").exists()
