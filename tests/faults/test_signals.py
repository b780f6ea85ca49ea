"""Each signal to each process of a job gives the right state and the right reason: nothing that was merely ended counts
as done, and nothing that was ended from outside as the recipe's failure."""

import os
import signal
from functools import partial
from signal import Signals

import pytest

from tests import stub_runner
from tests.chain import wait_until
from tests.faults.test_processes import (
    PATIENT_S,
    SLOW,
    begin,
    diary,
    end,
    expire_lease,
    machine,
    settings,  # noqa: F401 - a fixture
    store,  # noqa: F401 - a fixture
)
from workbench import runner
from workbench.jobs import ENDED, Store
from workbench.machines.local import processes
from workbench.models import registry
from workbench.settings import Settings

TO_MACHINES = [
    ("worker", signal.SIGTERM, "signal SIGTERM"),
    ("worker", signal.SIGINT, "signal SIGINT"),
    ("worker", signal.SIGSEGV, "signal SIGSEGV"),
    ("ps", signal.SIGHUP, "signal SIGHUP"),
    ("ps", signal.SIGKILL, "signal SIGKILL"),
    ("chief", signal.SIGQUIT, "signal SIGQUIT"),
    ("chief", signal.SIGTERM, "signal SIGTERM"),
    ("chief", signal.SIGABRT, "signal SIGABRT"),
]
LONG = "STEPS = 100_000\n"


def is_told(settings: Settings, id: int, ended: str, times: int) -> bool:  # noqa: F811
    return diary(settings, id).count(ended) > times


def is_further(store: Store, id: int, beyond: int) -> bool:  # noqa: F811
    job = store.job(id)
    return (job.step or 0) > beyond or job.state in ENDED


def goes_on(store: Store, id: int, beyond: int) -> None:  # noqa: F811
    def further() -> bool:
        job = store.job(id)
        assert job.state not in ENDED, job.error
        return (job.step or 0) > beyond

    wait_until(further, PATIENT_S, "a further step")


def test_whatever_ends_a_machine_from_outside_it_begins_again_and_the_job_is_neither_done_nor_failed(
    store: Store,  # noqa: F811
    settings: Settings,  # noqa: F811
) -> None:
    id = begin(store, settings, LONG, ps=1, workers=1)

    for role, number, said in TO_MACHINES:
        before, ended = store.job(id).step or 0, f"{role} 0 ended: {said}"
        told = diary(settings, id).count(ended)
        pid = machine(settings, id, role).pid
        assert pid
        os.kill(pid, number)
        wait_until(partial(is_told, settings, id, ended, told), PATIENT_S, f"{role}: {said}")
        goes_on(store, id, before)

    store.ask_terminate(id)
    job = end(store, settings, id)
    assert (job.state, job.error, job.version, job.attempt) == ("terminated", None, None, 1)
    assert registry.versions(settings) == []


@pytest.mark.parametrize("whose", ["runner", "cluster", "fork server"])
def test_whatever_ends_what_stands_behind_the_machines_the_job_comes_to_its_end(
    store: Store,  # noqa: F811
    settings: Settings,  # noqa: F811
    whose: str,
) -> None:
    id = begin(store, settings, SLOW, workers=1)
    numbers = [signal.SIGTERM, signal.SIGKILL]
    if whose == "runner":
        numbers.append(signal.SIGSEGV)
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as below nohup, and what is started there
            numbers.append(signal.SIGHUP)
    for number in numbers:
        before = store.job(id).step or 0
        end_one(settings, id, whose, number)
        if whose == "runner":
            wait_until(lambda: not runner.runners(settings), PATIENT_S, f"the runner's end by {number.name}")
            assert store.job(id).state not in {"failed", "terminated"}
            expire_lease(settings, id)
            stub_runner.tick(store, settings)
        wait_until(partial(is_further, store, id, before), PATIENT_S, "a further step")

    job = end(store, settings, id)
    assert (job.state, job.step, job.error, job.attempt) == ("completed", 150, None, 1)


def end_one(settings: Settings, id: int, whose: str, number: Signals) -> None:  # noqa: F811
    if whose == "runner":
        (pid,) = wait_until(lambda: runner.runners(settings), PATIENT_S, "the runner")
    elif whose == "cluster":
        pid = wait_until(
            lambda: next(
                (
                    found.pid
                    for found in processes.living(settings.home)
                    if found.cluster == f"job-{id}" and found.place.role == "cluster"
                ),
                None,
            ),
            PATIENT_S,
            "the cluster",
        )
    else:
        warm = processes.find_warm(settings.home)
        if warm is None:
            return
        pid = warm.pid
    os.kill(pid, number)
