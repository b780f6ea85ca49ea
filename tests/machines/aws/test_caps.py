"""What a job may cost holds on its machines as well: while the computer that submitted it is off."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chain import make_settings
from tests.machines.aws.memory_bucket import MemoryBucket
from workbench.jobs import Store
from workbench.machines import Place
from workbench.machines.aws.controller.job_files import JobFiles
from workbench.machines.aws.exchange.assignments import AssignedJob, Assignment, Post, Terms
from workbench.machines.aws.on_machine import ending
from workbench.machines.aws.on_machine.duty import Duty
from workbench.recipes import Recipe
from workbench.runner import budget, folders

WORKER = Place("worker", 0)


@pytest.mark.parametrize(
    ("caps", "hours", "cap"),
    [
        ({"WORKBENCH_MAX_PRICE_PER_JOB": "1"}, 2.0, "one job may cost $1.00"),
        ({"WORKBENCH_MAX_PRICE_PER_REQUESTER": "0.25"}, 0.5, "one requester that are at work may cost $0.25"),
        (
            {"WORKBENCH_MAX_PRICE_PER_JOB": "1", "WORKBENCH_MAX_PRICE_PER_REQUESTER": "0.25"},
            0.5,
            "one requester that are at work may cost $0.25",
        ),
        ({}, None, ""),
    ],
)
def test_machines_end_themselves_when_the_job_has_used_up_what_it_may_cost(
    tmp_path: Path, caps: dict[str, str], hours: float | None, cap: str
) -> None:
    settings = make_settings(tmp_path, **caps)
    folder = tmp_path / "jobs" / "1"
    with Store(settings.database_url) as store:
        id = store.submit(
            name="net", requester="ann", recipe=Recipe("", "", "x = 1\n"), provider="aws", price_per_hour=0.5
        )
        folders.prepare(folder, store.job(id), budget.remainder(id, store, settings))
    bucket: Any = MemoryBucket()
    post = Post("i-1", "192.168.32.4")
    before = Assignment({WORKER: post}, "code/x.zip", "workbench.node", False, "c5.xlarge")
    assignment = JobFiles(settings, bucket).give(before, folder, None)

    assert assignment.work
    deadline = assignment.work.deadline
    if hours is None:
        assert deadline is None
        return
    assert deadline is not None
    told = json.loads((folder / "job.json").read_text())["lasts_s"]
    assert told == pytest.approx(hours * 3600)
    begun = deadline - told
    duty = Duty(assignment, WORKER, post)
    assert ending.why_over(duty, None, now=0.0, clock=begun + hours * 3600 - 1) == ""
    said = ending.why_over(duty, None, now=0.0, clock=begun + hours * 3600 + 1)
    assert cap in said


def test_the_earlier_of_two_limits_counts(tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    folder = tmp_path / "jobs" / "1"
    (folder / "recipe").mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"job": 1, "lasts_s": 7200}))
    bucket: Any = MemoryBucket()
    before = Assignment({WORKER: Post("i-1", "a")}, "code/x.zip", "workbench.node", False, "c5.xlarge")
    ends = []
    for limit in (None, 60.0):
        work = JobFiles(settings, bucket).give(before, folder, limit).work
        assert work
        assert work.deadline is not None
        ends.append(work.deadline)
    assert ends[0] - ends[1] == pytest.approx(7140, abs=30)


def on_a_standing_cluster(place: Place, work: AssignedJob | None, idle_s: float | None = 60.0) -> Duty:
    post = Post("i-1", "192.168.32.4")
    posts = {Place("chief", 0): post, WORKER: post}
    terms = Terms(idle_s=idle_s)
    assignment = Assignment(posts, "code/x.zip", "workbench.node", True, "c5.xlarge", terms, work=work)
    return Duty(assignment, place, post)


@pytest.mark.parametrize(
    ("place", "idle_since", "idle_s", "ends"),
    [
        (Place("chief", 0), 0.0, 60.0, True),
        (Place("chief", 0), 50.0, 60.0, False),
        (Place("chief", 0), None, 60.0, False),
        (Place("chief", 0), 0.0, None, False),
        (WORKER, 0.0, 60.0, False),
    ],
    ids=["idle", "not for long", "at work", "as asked", "not the one that leads"],
)
def test_a_standing_cluster_without_work_ends_itself(
    place: Place, idle_since: float | None, idle_s: float | None, ends: bool
) -> None:
    duty = on_a_standing_cluster(place, None, idle_s)
    why = ending.why_over(duty, None, now=100.0, clock=0.0, idle_since=idle_since)
    assert ("WORKBENCH_AWS_IDLE_MINUTES" in why) is ends


def test_what_a_job_may_cost_ends_it_on_a_standing_cluster_and_leaves_the_machines() -> None:
    work = AssignedJob("clusters/_jobs/h/7/", "g", deadline=100.0, cap="one job may cost $1.00 (WORKBENCH_…)")
    duty = on_a_standing_cluster(WORKER, work)
    attempt: Any = SimpleNamespace(exit=None)
    assert ending.why_job_over(duty, attempt, clock=99.0) == ""
    assert "one job may cost $1.00" in ending.why_job_over(duty, attempt, clock=101.0)
    assert ending.why_over(duty, attempt, now=0.0, clock=101.0) == ""
