"""A machine's agent follows its assignment, tells what it does and leaves what there is, with nobody else's help."""

import json
import re
import signal
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from tests.chain import wait_until
from tests.machines.aws.memory_bucket import MemoryBucket
from tests.packages import made
from workbench import packages
from workbench.aws.refusals import DeniedOnPurpose
from workbench.errors import RecipeError
from workbench.machines import Exit, Place
from workbench.machines.aws.exchange import assignments, reports, requests, statuses
from workbench.machines.aws.exchange.assignments import AssignedJob, Assignment, Post, Terms
from workbench.machines.aws.exchange.statuses import Status
from workbench.machines.aws.on_machine import ending
from workbench.machines.aws.on_machine.agent import Agent
from workbench.machines.aws.on_machine.disk import Disk
from workbench.settings import PROJECT

WORKER = Place("worker", 0)
PREFIX = "clusters/h/lab/"
JOB = "clusters/_jobs/h/7/"
ENDLESS = "STEPS = 10**6\n"


@dataclass
class Lab:
    """A bucket, and a machine of a cluster of one."""

    bucket: Any
    root: Path
    agent: Agent
    assignment: Assignment
    thread: threading.Thread

    def give(self, training: str, attempt: int = 1) -> None:
        """Let a job be the cluster's."""
        folder = self.root / "request"
        (folder / "recipe").mkdir(parents=True, exist_ok=True)
        (folder / "recipe" / "training.py").write_text(training)
        (folder / "job.json").write_text(json.dumps({"job": 7, "attempt": attempt}))
        requests.give(self.bucket, JOB, folder, self.assignment.addresses, self.root / "data")
        work = AssignedJob(JOB, f"generation{attempt}", attempt=attempt)
        self.tell(replace(self.assignment, work=work))

    def tell(self, assignment: Assignment) -> None:
        self.assignment = assignment
        self.bucket.put(PREFIX + assignments.FILE, assignment.dump())
        (self.root / "wake").touch()

    @property
    def status(self) -> Status | None:
        """What the machine says that it does, of what it is to do now."""
        found = statuses.newest(self.bucket.list(PREFIX), PREFIX).get(WORKER)
        post = self.assignment.posts[WORKER]
        return found[0] if found and found[0].answers(self.assignment, post) else None

    def until(self, state: str) -> Status:
        status: Status = wait_until(
            lambda: self.status if self.status and self.status.state == state else None, 20, state
        )
        return status

    def events(self) -> str:
        folder = self.root / "here"
        folder.mkdir(exist_ok=True)
        reports.collect(self.bucket, JOB, folder)
        path = folder / "machines" / "worker-0" / "events.jsonl"
        return path.read_text() if path.exists() else ""


def make_agent(root: Path, bucket: Any) -> Agent:
    return Agent(root, bucket, "lab", "i-1")


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    root = tmp_path / "machine"
    (root / "home" / "data").mkdir(parents=True)
    (root / "env").symlink_to(sys.prefix)
    (root / "code").symlink_to(PROJECT)
    (root / "code.key").write_text("code/here.zip")
    bucket: Any = MemoryBucket()
    post = Post("i-1", "127.0.0.1")
    assignment = Assignment(
        {WORKER: post}, "code/here.zip", "tests.stub_node", False, "c5.xlarge", Terms(restarts=2)
    )
    agent = make_agent(root, bucket)
    thread = threading.Thread(target=agent.run)
    lab = Lab(bucket, root, agent, assignment, thread)
    thread.start()
    try:
        yield lab
    finally:
        lab.agent.over = True
        thread.join()


def test_it_stands_ready_then_works_reports_and_leaves_the_export(lab: Lab) -> None:
    lab.tell(replace(lab.assignment, standing=True))
    lab.until("ready")
    lab.give("STEPS = 5\n")

    assert lab.until("ended").exit == Exit(0)

    assert '"phase":"done"' in lab.events()
    assert reports.collect_export(lab.bucket, f"{JOB}attempt-1/", lab.root / "here")
    assert (lab.root / "here" / "export" / "model.keras").read_text() == "trained for 5 steps"
    assert lab.bucket.objects[f"{JOB}checkpoints-1/step"] == b"5"
    assert len([k for k in lab.bucket.objects if "/status/" in k]) == 1, "what it said before is gone"


def test_a_recipe_reads_the_corrections_that_came_with_its_job_and_no_earlier_ones(lab: Lab) -> None:
    exported = lab.root / "data" / "corrections" / "2"
    exported.mkdir(parents=True)
    x, y = np.zeros((1, 28, 28), np.uint8), np.array([4])
    np.savez(exported / "corrections.npz", x=x, y=y, predicted=y)
    (exported / "manifest.json").write_text('{"corrections": [{"id": "a"}]}')
    (lab.root / "home" / "data" / "corrections" / "3").mkdir(parents=True)
    (lab.root / "home" / "data" / "corrections" / "3" / "manifest.json").write_text('{"corrections": []}')
    lab.give("from workbench import datasets\nSTEPS = int(datasets.corrections()[1][0])\n")

    assert lab.until("ended").exit == Exit(0)

    assert reports.collect_export(lab.bucket, f"{JOB}attempt-1/", lab.root / "here")
    assert (lab.root / "here" / "export" / "model.keras").read_text() == "trained for 4 steps"


def test_a_role_that_crashes_begins_again_from_its_checkpoint(lab: Lab) -> None:
    lab.give(
        "import os\nSTEPS = 6\ndef step(place, n):\n    if n == 3 and not os.path.exists('x'): open('x', 'w'); os.abort()\n"
    )

    assert lab.until("ended").exit == Exit(0)
    assert "signal SIGABRT; its machine starts it again" in lab.events()
    assert "goes on from step 3" in lab.events()


def test_a_role_that_crashes_again_and_again_is_given_up(lab: Lab) -> None:
    lab.give("import os\nos.abort()\n")

    ended = lab.until("ended")

    assert ended.exit is not None
    assert ended.exit.code == -6
    key = next(k for k in lab.bucket.objects if "/status/" in k)
    assert lab.bucket.objects[key] == b"ended again and again, 3 times, at last with signal SIGABRT"


def test_a_recipe_that_fails_is_not_tried_again(lab: Lab) -> None:
    lab.give("raise ValueError('no')\n")

    assert lab.until("ended").exit == Exit(3)
    assert "ValueError: no" in lab.events()


def test_it_stops_and_begins_as_it_is_told(lab: Lab) -> None:
    lab.give(ENDLESS)
    first = lab.until("running").pid
    lab.tell(lab.assignment.end([WORKER]))
    assert lab.until("ended").exit == Exit(-15)
    lab.tell(lab.assignment.begin([WORKER]))
    assert lab.until("running").pid not in (None, first)


def test_what_a_machine_said_before_it_was_told_to_stop_is_no_answer() -> None:
    assignment = Assignment(
        {WORKER: Post("i-1", "127.0.0.1")}, "code/here.zip", "tests.stub_node", True, "c5.xlarge"
    )
    said = Status("running", "i-1", assignment.generation, 1)
    assert said.answers(assignment, assignment.posts[WORKER])

    stopping = assignment.end([WORKER])

    assert not stopping.posts[WORKER].run
    assert not said.answers(stopping, stopping.posts[WORKER])


def test_after_a_reboot_it_takes_up_what_it_did(lab: Lab) -> None:
    lab.give(ENDLESS)
    first = lab.until("running").pid
    wait_until(lambda: '"kind":"metric"' in lab.events(), 20, "a step")
    lab.agent.over = True
    lab.thread.join(100)

    again = make_agent(lab.root, lab.bucket)
    thread = threading.Thread(target=again.run)
    thread.start()
    try:
        assert wait_until(lambda: lab.until("running").pid != first, 20, "the new process")
        wait_until(lambda: "goes on from step" in lab.events(), 20, "the checkpoint")
    finally:
        again.over = True
        thread.join()


def test_what_aws_refuses_once_is_done_a_moment_later(lab: Lab) -> None:
    lab.bucket.refuses = {
        ("get", assignments.FILE),
        ("get", "job.zip"),
        ("put", ".running."),
        ("put", "events.jsonl/"),
        ("put", "checkpoints-1/"),
        ("put", "attempt-1/"),
        ("put", ".ended."),
    }
    lab.give("STEPS = 5\n")

    assert lab.until("ended").exit == Exit(0)

    assert lab.bucket.refuses == set()
    assert '"phase":"done"' in lab.events()
    assert lab.bucket.objects[f"{JOB}checkpoints-1/step"] == b"5"
    assert reports.collect_export(lab.bucket, f"{JOB}attempt-1/", lab.root / "here")
    assert (lab.root / "here" / "export" / "model.keras").read_text() == "trained for 5 steps"


def test_who_works_sees_nothing_of_aws(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    lab.give("import os\nprint(sorted(os.environ))\nSTEPS = 1\n")
    lab.until("ended")
    lab.events()

    said = (lab.root / "here" / "machines" / "worker-0" / "stdout.log").read_text()

    assert "PYTHONPATH" in said
    assert "AWS" not in said


def test_an_agent_that_is_killed_with_its_role_again_and_again_does_not_begin_it_for_ever(lab: Lab) -> None:
    """As when memory runs out: each new agent goes on with the counts of the one before."""
    lab.give(ENDLESS.replace("STEPS", "import time\nSTEPS") + "def step(place, n): time.sleep(600)\n")
    lab.until("running")
    lab.agent.over = True
    lab.thread.join()

    for _ in range(3):  # killed: nothing was said, and the role went with it
        counts = json.loads((lab.root / "counts.json").read_text())
        (lab.root / "counts.json").write_text(json.dumps({**counts, "at_work": True}))
        agent = make_agent(lab.root, lab.bucket)
        agent.follow()
        agent.teller.tell()
        assert agent.attempt

    status = lab.status
    assert status
    assert status.state == "ended"
    assert status.exit
    assert status.exit.code == -signal.SIGKILL
    assert agent.attempt
    assert agent.attempt.counts.in_vain == 3


def test_an_agent_that_ends_in_order_counts_nothing_and_another_turn_counts_anew(lab: Lab) -> None:
    lab.give(ENDLESS)
    lab.until("running")
    lab.agent.over = True
    lab.thread.join()
    agent = make_agent(lab.root, lab.bucket)
    agent.follow()
    assert agent.attempt
    assert (agent.attempt.counts.restarts, agent.attempt.counts.at_work) == (0, True)
    agent.attempt.end()

    counts = json.loads((lab.root / "counts.json").read_text())
    (lab.root / "counts.json").write_text(json.dumps({**counts, "restarts": 2, "in_vain": 2}))
    lab.tell(lab.assignment.begin([WORKER]))
    agent.follow()
    assert agent.attempt.counts.restarts == 0
    agent.attempt.end()


@pytest.mark.parametrize("script", ["machines/aws/on_machine/boot.sh", "application/boot/app.sh"])
def test_where_memory_runs_out_systemd_leaves_the_rest_of_the_service_alone(script: str) -> None:
    text = (PROJECT / "workbench" / script).read_text()
    unit = text[text.index("[Service]") : text.index("[Install]")]
    assert "OOMPolicy=continue" in unit


def test_machines_are_set_up_by_one_version_of_uv() -> None:
    scripts = ["machines/aws/on_machine/boot.sh", "application/boot/app.sh"]
    told = [(PROJECT / "workbench" / one).read_text() for one in scripts]
    pinned = {re.search(r"install --quiet 'uv==([\d.]+)'\n", text) for text in told}
    assert len({found[1] for found in pinned if found}) == 1
    assert None not in pinned


def test_a_standing_cluster_ends_when_it_has_had_no_job_for_long_and_not_while_one_is_at_work(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[str] = []
    monkeypatch.setattr(ending, "end_others", lambda session, cluster, instance: ended.append(cluster))
    monkeypatch.setattr(ending, "shut_down", lambda: ended.append("itself"))
    lab.assignment = replace(lab.assignment, standing=True, terms=Terms(restarts=2, idle_s=1.5))
    lab.give(ENDLESS)
    lab.until("running")
    lab.agent.idle_since = None
    assert not wait_until_over(lab, 3), "a job is at work"
    lab.tell(replace(lab.assignment, work=None))
    assert wait_until_over(lab, 100)
    assert ended == ["lab", "itself"]


def wait_until_over(lab: Lab, seconds: float) -> bool:
    """Whether the agent has ended by itself within so many seconds."""
    lab.thread.join(seconds)
    return not lab.thread.is_alive()


def test_a_machine_installs_the_packages_of_its_job_once_or_says_why_it_could_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.index(tmp_path / "index", monkeypatch)
    name = packages.provide("tiny-rows<1.2\n", tmp_path / "here")
    bucket = cast(Any, MemoryBucket())
    disk = Disk(tmp_path / "machine", bucket)
    (disk.root / "home" / "data").mkdir(parents=True)
    folder = tmp_path / "request"
    (folder / "recipe").mkdir(parents=True)
    (folder / "job.json").write_text(json.dumps({"job": 7, "packages": name}))
    requests.give(bucket, JOB, folder, {}, tmp_path / "data", tmp_path / "here")
    disk.get_job(AssignedJob(JOB, "g"), WORKER)
    assert (disk.root / "home" / "packages" / name / "tiny_rows.py").is_file()

    other = packages.keep_lock("tiny-base==9 \\\n    --hash=sha256:" + "0" * 64 + "\n", tmp_path / "here")
    (folder / "job.json").write_text(json.dumps({"job": 7, "packages": other}))
    requests.give(bucket, JOB, folder, {}, tmp_path / "data", tmp_path / "here")
    disk.get_job(AssignedJob(JOB, "h"), WORKER)
    with pytest.raises(RecipeError, match=r"not on this machine: .*tiny-base"):
        packages.use(other, disk.root / "home" / "packages")


class DeniedBucket(MemoryBucket):
    """A bucket that a policy may deny from one moment on, as a budget's alarm does."""

    denied = False

    def get(self, key: str) -> bytes | None:
        if self.denied:
            raise DeniedOnPurpose(f"reading {key} is denied on purpose")
        return super().get(key)


def test_a_machine_that_a_policy_denies_its_work_ends_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket: Any = DeniedBucket()
    agent = make_agent(tmp_path, bucket)
    agent.denied_s = 500.0
    ended: list[bool] = []
    monkeypatch.setattr(ending, "shut_down", lambda: ended.append(True))
    bucket.put(PREFIX + assignments.FILE, Assignment({WORKER: Post("i-1", "")}, "c", "n", True, "t").dump())
    agent.followed = None
    bucket.denied = True
    for since, ends in ((0, False), (400, False), (600, True)):
        agent.denied_since = time.monotonic() - since
        agent.consider_the_end()
        assert bool(ended) is ends
    assert agent.over


def test_a_denial_counts_from_the_first_and_no_more_once_it_is_over(tmp_path: Path) -> None:
    bucket: Any = DeniedBucket()
    agent = make_agent(tmp_path, bucket)
    bucket.denied = True
    agent.once()
    since = agent.denied_since
    agent.due.clear()
    agent.once()
    assert since is not None
    assert agent.denied_since == since
    bucket.denied = False
    agent.due.clear()
    agent.once()
    assert agent.denied_since is None
