"""Several processes at the same moment never disagree about what happened."""

import json
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import pytest

from tests.jobs.conftest import RECIPE
from tests.jobs.hammer import CAP, PER_REQUESTER
from workbench.jobs import ACTIVE, Job, Store
from workbench.jobs.values import NEXT
from workbench.settings import PROJECT

Process = subprocess.Popen[str]


@contextmanager
def hammers(url: str, count: int) -> Iterator[list[Process]]:
    """So many processes, started and waiting for a word."""
    processes: list[Process] = []
    try:
        for number in range(count):
            command = [sys.executable, "-m", "tests.jobs.hammer", url, f"hammer-{number}", str(number)]
            processes.append(
                subprocess.Popen(
                    command, cwd=PROJECT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
                )
            )
        for process in processes:
            assert answer(process) == "ready"
        yield processes
    finally:
        for process in processes:
            process.communicate()


def answer(process: Process) -> Any:
    """The next line that the process says."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the process has died; its traceback is above"
    return json.loads(line)


def at_once(processes: list[Process], word: str) -> list[Any]:
    """Say the word to all, then hear their answers."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write(f"{word}\n")
        process.stdin.flush()
    return [answer(process) for process in processes]


def test_processes_that_start_claim_and_change_at_once_never_disagree(fresh_url: str) -> None:
    with hammers(fresh_url, 4) as processes:
        assert at_once(processes, "open") == ["open"] * 4, "one makes the tables, the others wait"
        with Store(fresh_url) as store:
            for requester in ("ann", "bob", "cem"):
                for _ in range(PER_REQUESTER + 1):
                    store.submit(name="d", requester=requester, recipe=RECIPE, ps=1)
            claimed = [id for ids in at_once(processes, "claim") for id in ids]
            assert len(claimed) == len(set(claimed)) == CAP, "no more than the cap, and no job twice"
            per_requester = Counter(job.requester for job in store.jobs(ACTIVE))
            assert max(per_requester.values()) <= PER_REQUESTER
            for id in claimed:
                store.move(id, ACTIVE, "terminated")
                store.release(id, str(getattr(store.job(id).lease, "runner", "")))
            known = Counter(change_of(store.jobs(limit=1000)))
            reported = Counter(
                (state, id) for done in at_once(processes, "live") for state, id, attempt in done
            )
            made = Counter(change_of(store.jobs(limit=1000)))
            made.subtract(known)
            check_lives(store.jobs(limit=1000))
    # A waiting job is terminated by the store itself, which nobody reports.
    for change in made.keys() | reported.keys():
        if change[0] != "terminated":
            assert made[change] == reported[change], change
        else:
            assert made[change] >= reported[change], change
    hit = {state for (state, _), times in made.items() if times}
    assert hit >= {"queued", "initializing", "training", "exporting"}, "the hammers hit something"


def change_of(jobs: list[Job]) -> list[tuple[str, int]]:
    """Every change of state of every job."""
    return [(change.state, job.id) for job in jobs for change in job.changes]


def check_lives(jobs: list[Job]) -> None:
    """Each job went only where a job may go, and is where its last change brought it."""
    for job in jobs:
        states = [change.state for change in job.changes]
        assert states[0] == "queued"
        assert states[-1] == job.state
        assert states.count("queued") == job.attempt
        for at, to in pairwise(states):
            begins = (at == "queued" and to == "initializing") or (
                at in ("failed", "terminated") and to == "queued"
            )
            assert begins or to in NEXT[at], states
        assert (job.error is not None) == (job.state == "failed")


def test_of_many_threads_one_makes_the_change(store: Store) -> None:
    id = store.submit(name="d", requester="ann", recipe=RECIPE)
    start = threading.Barrier(8)

    def change(number: int) -> bool:
        start.wait(60)
        match number % 4:
            case 0:
                return store.claim(f"runner-{number}", cap=9) is not None
            case 1:
                return store.move(id, {"queued", "initializing"}, "terminated")
            case 2:
                return store.ask_terminate(id)
            case _:
                return store.retry(id)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(change, range(8)))
    check_lives(store.jobs())


@pytest.mark.parametrize("rounds", [5])
def test_of_many_threads_one_takes_over(store: Store, clock: Any, rounds: int) -> None:
    id = store.submit(name="d", requester="ann", recipe=RECIPE)
    store.claim("first", cap=1)
    for number in range(rounds):
        clock.t += 100
        start = threading.Barrier(4)

        def take(runner: str, start: threading.Barrier = start) -> bool:
            start.wait(60)
            return store.take_over(id, runner)

        with ThreadPoolExecutor(4) as pool:
            taken = list(pool.map(take, [f"{number}-{n}" for n in range(4)]))
        assert taken.count(True) == 1
        lease = store.job(id).lease
        assert lease is not None
        assert lease.runner == f"{number}-{taken.index(True)}"
