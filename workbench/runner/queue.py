"""The queue's side: who gets a runner, which runners live, and how all of it ends."""

import contextlib
import os
import re
import secrets
import signal
import socket
import sys
import time
from collections.abc import Callable

import psutil

from workbench.errors import NotFound, Unavailable
from workbench.jobs import ACTIVE, ENDED, Job, Store
from workbench.machines import Provider
from workbench.machines.local.provider import end_all
from workbench.runner.run import run
from workbench.settings import CODE, Settings
from workbench.system import detached, processes
from workbench.system.waiting import comes_true
from workbench.tasks import child

MARK = "WORKBENCH_RUNNER"
"""The environment variable by which the system shows whose runner a process is: ``JOB@HOME``."""
_MARK = re.compile(r"([0-9]{1,9})@(.*)", re.DOTALL | re.ASCII)
AWS_CAPS = (16, 8)
"""Jobs at a time, in all and of one requester, where each has machines of its own; their runners are here."""
TERMINATE_WAIT_S = {"local": 10.0, "aws": 300.0}
"""Machines elsewhere take their time to end."""
LEFT_OUT = ("WORKBENCH_SERVICE", MARK)
"""What a runner does not inherit: it is no part of the service that started it."""

Start = Callable[[int, str], object]
"""Starts a runner for a job, under the name in which it holds the lease."""


def tick(store: Store, settings: Settings, start: Start | None = None) -> list[int]:
    """Start runners for the jobs whose turn it is, and for those whose runner died; give their ids.

    Whoever calls it, and how many at a time, no job gets two runners and no more run than may.
    """
    start = start or (lambda id, runner: start_runner(id, runner, settings))
    begun = []
    for job in store.abandoned():
        name = runner_name()
        if store.take_over(job.id, name):
            _start_or_release(store, job.id, name, start)
            begun.append(job.id)
    caps = {"local": (settings.max_jobs, settings.max_jobs_per_requester), "aws": AWS_CAPS}
    for provider, (cap, per_requester) in caps.items():
        while claimed := store.claim(name := runner_name(), cap, per_requester, provider=provider):
            _start_or_release(store, claimed.id, name, start)
            begun.append(claimed.id)
    return begun


def _start_or_release(store: Store, id: int, name: str, start: Start) -> None:
    try:
        start(id, name)
    except BaseException:
        store.release(id, name)
        raise


def start_runner(id: int, runner: str, settings: Settings) -> int:
    """Start the detached process of a runner; give its process number."""
    environment = {name: value for name, value in os.environ.items() if name not in LEFT_OUT}
    environment |= {
        "WORKBENCH_HOME": str(settings.home),
        "WORKBENCH_DATABASE_URL": settings.database_url,
        MARK: f"{id}@{settings.home}",
    }
    command = [sys.executable, "-m", "workbench.runner", str(id), runner]
    return detached.start(command, environment, settings.logs / "runners.log", CODE)


def runner_name() -> str:
    """A name that no other runner has, and that says where it runs."""
    return f"{socket.gethostname()[:40]}-{secrets.token_hex(6)}"


def end_orphans(store: Store, provider: Provider) -> list[str]:
    """End the clusters of jobs that have ended or never were; give their names.

    Those of active jobs stay: their runner, or the next one, takes them up.
    """
    ended = []
    born = {machine.cluster: machine.created for machine in provider.machines()}
    for name in sorted(born):
        id = job_of(name)
        if id is None:
            if name.startswith("task-") and time.time() - born[name] > child.MOST_S + 60:
                provider.terminate(name)
                ended.append(name)
            continue
        with contextlib.suppress(NotFound):
            job = store.job(id)
            if job.state in ACTIVE or job.lease is not None:
                continue
        provider.terminate(name)
        ended.append(name)
    return ended


def terminate(id: int, store: Store, settings: Settings, *, wait_s: float | None = None) -> Job:
    """Ask for the end of a job and wait for it; where its runner is dead, do what that would have done.

    Raises
    ------
    NotFound
    Unavailable
        It has not ended in this time.
    """
    if wait_s is None:
        wait_s = TERMINATE_WAIT_S.get(store.job(id).provider, max(TERMINATE_WAIT_S.values()))
    give_up = time.monotonic() + wait_s
    store.ask_terminate(id)
    while (job := store.job(id)).state not in ENDED or job.lease is not None:
        dead = job.lease is None or not _lives(id, settings, job.lease.runner)
        name = runner_name()
        if dead and (job.lease is None or store.release(id, job.lease.runner)) and store.take_over(id, name):
            run(id, name, store, settings)
        elif time.monotonic() > give_up:
            raise Unavailable(f"job {id} has not ended within {wait_s:g} s; its runner is {job.lease}")
        else:
            time.sleep(0.1)
    return job


def _lives(id: int, settings: Settings, runner: str) -> bool:
    """Whether the runner's process is there; one of another computer is believed to be."""
    if not runner.startswith(f"{socket.gethostname()[:40]}-"):
        return True
    return id in runners(settings).values()


def runners(settings: Settings) -> dict[int, int]:
    """The living runners of the home: process number → job."""
    found = {}
    for process in processes.find(MARK):
        match = _MARK.fullmatch(process.mark)
        if match and match[2] == str(settings.home):
            found[process.pid] = int(match[1])
    return found


def stop_all(settings: Settings, *, grace_s: float = 8.0) -> int:
    """End every runner of the home, its machines and the fork server; give how many processes there were.

    The jobs stay as they are: the next ``tick`` takes them up again from their checkpoints.
    """
    found = runners(settings)
    for pid in found:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    comes_true(lambda: not runners(settings), grace_s, 0.05)
    for pid in runners(settings):
        with contextlib.suppress(psutil.Error):
            psutil.Process(pid).kill()
    return len(found) + end_all(settings)


def job_of(cluster: str) -> int | None:
    """The job whose own cluster has this name; see ``attempt.cluster_of``."""
    prefix, _, number = cluster.rpartition("-")
    return int(number) if prefix == "job" and re.fullmatch(r"[0-9]{1,9}", number, re.ASCII) else None
