"""Jobs on machines of AWS, from their request to a published version, whatever ends on the way; the stub node trains."""

import dataclasses
import io
import json
import os
import shutil
import signal
import urllib.request
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests import stub_runner, stub_tools
from tests.chain import make_settings, wait_until
from tests.emulator import Emulator, Fault
from tests.machines.aws.ground import make_ground, make_stub_provider
from workbench import runner
from workbench.errors import NotFound
from workbench.jobs import ENDED, Job
from workbench.machines import Layout
from workbench.machines.aws.controller.making import Ground
from workbench.machines.aws.controller.provider import AwsProvider
from workbench.machines.local.provider import end_all
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.runner import folders
from workbench.verbs import homes, sweeps
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench, open_store

LONG = "import time\nSTEPS = 80\ndef step(place, n):\n    time.sleep(0.25)\n"
PS = Layout(ps=1, workers=2)


@dataclass
class Stand:
    """A workbench whose jobs go to AWS."""

    workbench: Workbench
    provider: AwsProvider
    emulator: Emulator

    def submit(self, training: str = "STEPS = 10\n", **more: Any) -> int:
        wanted = {"ps": 1, "workers": 2, "provider": "aws", **more}
        recipe = Recipe("", "def load_data(): ...", training + "def build_model(): ...")
        return self.workbench.jobs.submit(Request("net", "ann", recipe, **wanted))

    def job(self, id: int) -> Job:
        return self.workbench.store.job(id)

    def until(self, id: int, holds: Callable[[Job], Any], timeout_s: float = 90, tick: bool = True) -> Job:
        """Wait until something holds of the job."""

        def look() -> Job | None:
            if tick:
                self.workbench.jobs.tick()
            job = self.job(id)
            if holds(job):
                return job
            if job.state in ENDED and job.lease is None:
                pytest.fail(f"{job.state}\n{job.error and f'{job.error.message} {job.error.traceback}'}")
            return None

        job: Job = wait_until(look, timeout_s, f"job {id}: {self.job(id).state}")
        return job

    def ended(self, id: int) -> Job:
        return self.until(id, lambda job: job.state in ENDED and job.lease is None)

    def kill_runner(self, id: int) -> None:
        """As when this computer is switched off; the job looks abandoned at once."""
        for pid, job in runner.runners(self.workbench.settings).items():
            if job == id:
                os.kill(pid, signal.SIGKILL)
        lease = self.job(id).lease
        assert lease
        self.workbench.store.release(id, lease.runner)

    def rest(self) -> None:
        """Wait until no runner lives: one that ends begins what waits, and hands its own environment on."""
        wait_until(lambda: not runner.runners(self.workbench.settings), 90, "the end of all runners")

    def left(self) -> list[str]:
        """The instances that cost anything."""
        return [
            i
            for i, told in self.emulator.instances().items()
            if told["state"] not in ("terminated", "shutting-down")
        ]


@pytest.fixture
def stand(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stand]:
    settings = replace(make_settings(tmp_path / "home"), max_jobs=4, max_jobs_per_requester=4)
    settings.logs.mkdir(parents=True)
    ground = make_ground(make_stub_provider(settings).session)
    monkeypatch.setenv("STUB_GROUND", json.dumps(asdict(ground)))
    provider = make_stub_provider(settings, ground)
    with open_store(settings) as store:
        start = lambda id, name: stub_runner.start(id, name, settings)  # noqa: E731
        workbench = Workbench(settings, store, start=start, open_provider=lambda *_: provider)
        try:
            yield Stand(workbench, provider, emulator)
        finally:
            for pid in runner.runners(settings):
                os.kill(pid, signal.SIGKILL)
            end_all(settings)


def test_a_job_trains_on_instances_and_its_model_comes_back(stand: Stand) -> None:
    """Also when its runner is killed on the way: the next one takes its machines up."""
    id = stand.submit(LONG)
    training = stand.until(
        id, lambda job: job.step and job.step >= 2 and {m.state for m in job.machines} == {"running"}
    )
    instances = {m.instance for m in training.machines}
    assert sorted(stand.left()) == sorted(map(str, instances))

    stand.kill_runner(id)
    job = stand.ended(id)

    assert (job.state, job.version, job.accuracy, job.step, job.of) == (
        "completed",
        1,
        stub_tools.ACCURACY,
        80,
        80,
    )
    assert instances == {m.instance for m in training.machines}, "no machine was made twice"
    assert job.cost
    assert job.cost > 0
    assert stand.left() == []
    assert registry.find("net:1", stand.workbench.settings).manifest.job == id
    link = stand.workbench.jobs.link(job)
    assert link
    with urllib.request.urlopen(link) as answer:
        assert "manifest.json" in zipfile.ZipFile(io.BytesIO(answer.read())).namelist()
    log = stand.workbench.settings.home / "jobs" / str(id) / "machines" / "worker-1" / "stdout.log"
    assert log.read_text().count("worker 1 begins as user") == 1


def test_a_job_is_done_and_its_machines_are_gone_while_this_computer_is_off(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STUB_TERMS", json.dumps({"linger_s": 1}))
    id = stand.submit(LONG)
    stand.until(id, lambda job: job.step)
    stand.kill_runner(id)

    wait_until(lambda: not stand.left(), 90, "the machines' own end")
    assert stand.job(id).state != "completed"

    assert stand.ended(id).state == "completed"


def test_a_sweep_gives_each_trial_machines_of_its_own_below_a_cap_and_keeps_the_best(stand: Stand) -> None:
    recipe = Recipe("", "def load_data(): ...", "STEPS = 5\nSCORE = 0.1\ndef build_model(): ...")
    asked = sweeps.ask(
        Request("net", "ann", recipe, provider="aws"),
        {"SCORE": "0.3,0.8,0.5,0.9"},
        sweeps.Options(trials=3, early_stopping=False, max_price=50.0),
    )
    seen: set[str] = set()
    sweep = sweeps.run(asked, stand.workbench, lambda _: seen.update(stand.left()))
    assert [(trial.state, trial.score) for trial in sweep.trials] == [
        ("completed", 0.3),
        ("completed", 0.8),
        ("completed", 0.5),
    ]
    assert sweep.version == "net:1"
    assert registry.find("net:1", stand.workbench.settings).manifest.job == sweep.trials[1].job
    assert all(trial.cost for trial in sweep.trials)
    assert len(seen) == 3
    assert stand.left() == []
    (entry,) = sweeps.Sweeps(stand.workbench).entries()
    assert entry.state == "completed"
    assert entry.cost == pytest.approx(sum(trial.cost or 0.0 for trial in sweep.trials))

    dear = dataclasses.replace(
        asked, trials=4, options=dataclasses.replace(asked.options, max_price=entry.cost)
    )
    assert len(sweeps.run(dear, stand.workbench).trials) == 3, "the cap is used up"


class Killed(BaseException):
    """As a ``kill -9``: nothing catches it."""


def die(*_: object) -> bool:
    raise Killed


def test_a_job_whose_home_was_deleted_goes_on_from_another_computer(
    stand: Stand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Found, priced, taken up with its machines, its model published there; and a second adoption changes nothing.

    Whoever was killed while they adopted it adopts it again.
    """
    settings = stand.workbench.settings
    id = stand.submit(LONG, ps=0, workers=2, epochs=3)
    training = stand.until(id, lambda job: job.step and job.step >= 2)
    lost = stand.provider.session.home
    stand.kill_runner(id)
    stand.workbench.store.close()
    shutil.rmtree(settings.home)

    elsewhere = replace(make_settings(tmp_path / "elsewhere"), max_jobs=4, max_jobs_per_requester=4)
    elsewhere.logs.mkdir(parents=True)
    found = {home.id: home for home in homes.list_homes(elsewhere)}
    assert {m.id for m in found[lost].machines} == {m.instance for m in training.machines}
    assert found[lost].price_per_hour == pytest.approx(2 * 0.17)
    assert [job.id for job in found[lost].jobs] == [id]
    with open_store(elsewhere) as store:
        ground = json.loads(os.environ["STUB_GROUND"])
        provider = make_stub_provider(elsewhere, Ground(**{**ground, "subnets": tuple(ground["subnets"])}))
        start = lambda id, name: stub_runner.start(id, name, elsewhere)  # noqa: E731
        workbench = Workbench(elsewhere, store, start=start, open_provider=lambda *_: provider)
        with pytest.raises(NotFound, match=lost):
            homes.adopt("0badc0de", elsewhere, store, workbench.machines, print)
        with monkeypatch.context() as patch:
            patch.setattr(store, "restore", die)
            with pytest.raises(Killed):
                homes.adopt(lost, elsewhere, store, workbench.machines, print)
        assert folders.has_machines(elsewhere.home / "jobs" / str(id)), "else they would be ended"
        adopted = homes.adopt(lost, elsewhere, store, workbench.machines, print)
        assert (adopted.clusters, adopted.jobs) == ((f"job-{id}",), (id,))
        other = replace(stand, workbench=workbench, provider=provider)
        job = other.ended(id)
        assert (job.state, job.version, job.requester, job.epochs) == ("completed", 1, "ann", 3)
        assert {m.instance for m in job.machines} == {m.instance for m in training.machines}
        assert job.cost
        assert registry.find("net:1", elsewhere).manifest.job == id
        assert stand.left() == []

        again = homes.adopt(lost, elsewhere, store, workbench.machines, print)
        assert (again.jobs, again.versions) == ((), ())
        shutil.rmtree(elsewhere.models)
        assert homes.adopt(lost, elsewhere, store, workbench.machines, print).versions == ("net:1",)
        assert registry.find("net:1", elsewhere).manifest.job == id
        for pid in runner.runners(elsewhere):
            os.kill(pid, signal.SIGKILL)


def test_a_machine_that_aws_takes_back_is_replaced_and_the_job_goes_on_from_its_checkpoint(
    stand: Stand,
) -> None:
    id = stand.submit(LONG, ps=0, workers=2)
    training = stand.until(id, lambda job: job.step and job.step >= 5)
    victim = next(str(m.instance) for m in training.machines if m.index == 0)

    stand.emulator.interrupt(victim)

    job = stand.ended(id)
    assert (job.state, job.step) == ("completed", 80)
    assert victim not in {m.instance for m in job.machines}
    events = stand.workbench.settings.home / "jobs" / str(id) / "machines" / "worker-0" / "events.jsonl"
    assert "goes on from step" in events.read_text()
    assert stand.left() == []


def test_a_process_that_crashes_is_started_again_by_its_own_machine(stand: Stand) -> None:
    crash = "import os\ndef before(place):\n    if place == 'worker 1' and not os.path.exists('crashed'):\n        open('crashed', 'w').close(); os.abort()\n"
    id = stand.submit(LONG.replace("80", "12") + crash)

    job = stand.ended(id)

    assert job.state == "completed"
    events = stand.workbench.settings.home / "jobs" / str(id) / "machines" / "worker-1" / "events.jsonl"
    assert "worker 1 ended with signal SIGABRT; its machine starts it again" in events.read_text()


def test_what_ends_a_job_early_leaves_no_machine_and_the_true_reason(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    fails = "def before(place):\n    if place == 'worker 1': raise ValueError('no such layer')\n"
    failing, endless = stand.submit(LONG + fails, workers=2), stand.submit("STEPS = 10**6\n", ps=0, workers=1)

    job = stand.until(failing, lambda job: job.state == "failed" and job.lease is None)
    assert job.error
    assert (job.error.role, job.error.index) == ("worker", 1)
    assert job.error.message == "ValueError: no such layer"
    assert '"training.py"' in job.error.traceback or "training.py" in job.error.traceback

    stand.until(endless, lambda job: job.step)
    assert stand.workbench.jobs.terminate(endless).state == "terminated"
    assert stand.left() == []

    stand.rest()
    monkeypatch.setenv("STUB_TERMS", json.dumps({"deadline_s": 1}))
    late = stand.submit("STEPS = 10**6\n", ps=0, workers=1)
    job = stand.until(late, lambda job: job.state == "failed" and job.lease is None)
    assert job.error
    assert "deadline has passed" in job.error.message
    assert "cap" not in job.error.message

    stand.rest()
    monkeypatch.delenv("STUB_TERMS")
    dear = replace(stand.workbench.settings, max_price_per_job=0.0005)
    monkeypatch.setenv("WORKBENCH_MAX_PRICE_PER_JOB", "0.0005")
    costly = stand.submit("STEPS = 10**6\n", ps=0, workers=1)
    job = stand.until(costly, lambda job: job.state == "failed" and job.lease is None)
    assert job.error
    assert f"one job may cost ${dear.max_price_per_job}" in job.error.message
    assert stand.left() == []


def test_jobs_share_a_standing_cluster_one_after_the_other(stand: Stand) -> None:
    stand.workbench.clusters.launch("lab", Layout(workers=2), "aws")
    before = sorted(stand.left())
    first, second = (stand.submit(ps=0, workers=2, cluster="lab") for _ in range(2))

    assert {stand.ended(first).state, stand.ended(second).state} == {"completed"}
    assert sorted(stand.left()) == before
    assert {m.state for m in stand.workbench.clusters.stop("lab", "aws")} == {"stopped"}
    assert {m.state for m in stand.workbench.clusters.start("lab", "aws")} == {"running"}
    stand.workbench.clusters.release("lab", "aws")
    assert stand.left() == []
    assert stand.provider.machines() == []


def test_a_launch_that_fails_halfway_leaves_nothing(stand: Stand) -> None:
    stand.emulator.faults([Fault(action="RunInstances", code="VcpuLimitExceeded", skip=1, times=9)])
    id = stand.submit()

    job = stand.until(id, lambda job: job.state == "failed" and job.lease is None)

    assert job.error
    assert "quota" in job.error.message
    assert stand.left() == []
    assert job.cost, "one machine existed for a moment"

    stand.emulator.faults([Fault(action="RunInstances", code="VcpuLimitExceeded", times=9)])
    none = stand.submit()
    job = stand.until(none, lambda job: job.state == "failed" and job.lease is None)
    assert (job.cost, job.execution_s > 0) == (0, True), "none did"
