"""A job whose provider has no machine free waits for one, says so, and can be ended at any moment."""

import threading
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from tests.chain import wait_until
from tests.runner.stand import RULES, submit, works
from tests.stub_tools import measures, passes
from workbench import runner
from workbench.errors import NoMachineFree
from workbench.jobs import Store
from workbench.machines import Layout, Machine, scarcity
from workbench.machines.fake import FakeProvider
from workbench.settings import Settings
from workbench.ui.cluster.jobs import views as job_views


@dataclass
class Scarce(FakeProvider):
    """A provider that has no machine free, so many times."""

    times: float = 0
    asked: int = 0
    at_start: bool = False
    """The machines of a launch are there; it is those started again that are not."""
    seen: list[str] = field(default_factory=list)

    def launch(self, name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        if not self.at_start:
            self._ask()
        return super().launch(name, layout, folder)

    def start(self, name: str, only: object = None) -> list[Machine]:
        if only is not None:
            self._ask()
        return super().start(name, only)  # type: ignore[arg-type]

    def _ask(self) -> None:
        self.asked += 1
        if self.asked <= self.times:
            raise NoMachineFree("there is no such machine free now")


QUICK = replace(RULES, free_pauses_s=(0.01, 0.02))


def carry_out(store: Store, settings: Settings, provider: FakeProvider, rules: runner.Rules = QUICK) -> str:
    job = store.claim("me", cap=1)
    assert job is not None
    runner.run(job.id, "me", store, settings, provider=provider, check=passes, measure=measures, rules=rules)
    return store.job(job.id).state


def log_of(settings: Settings, id: int) -> str:
    return (settings.logs / f"job-{id}.jsonl").read_text()


def test_it_is_asked_again_until_there_is_one(store: Store, settings: Settings) -> None:
    id = submit(store, ps=1, workers=2)
    provider = Scarce(works, times=3)
    assert carry_out(store, settings, provider) == "completed"
    assert provider.asked == 4
    log = log_of(settings, id)
    assert log.count("there is no such machine free now; asked again in") == 3
    assert "in 0.01 s" in log
    assert "in 0.02 s" in log


def test_whoever_waits_sees_why_and_can_end_it_at_once(store: Store, settings: Settings) -> None:
    id = submit(store, workers=2)
    provider = Scarce(works, times=float("inf"))
    rules = replace(RULES, free_pauses_s=(3600.0,))
    ended: list[str] = []
    thread = threading.Thread(target=lambda: ended.append(carry_out(store, settings, provider, rules)))
    thread.start()
    wait_until(lambda: store.job(id).machines, 20, "the job to wait")
    job = store.job(id)
    assert {m.state for m in job.machines} == {"waiting"}
    assert not job.cost, "what is not there costs nothing"
    assert "free just now" in job_views.progress(job, None).text
    store.ask_terminate(id)
    thread.join(60)
    assert ended == ["terminated"]
    assert provider.asked == 1


def test_there_is_an_end_of_waiting_where_one_is_set(store: Store, settings: Settings) -> None:
    id = submit(store)
    assert carry_out(store, settings, Scarce(works, times=9), replace(QUICK, free_s=0.05)) == "failed"
    error = store.job(id).error
    assert error is not None
    assert "no such machine free" in error.message


def test_a_machine_that_cannot_be_replaced_yet_is_no_failure_of_the_job(
    store: Store, settings: Settings
) -> None:
    id = submit(store)
    dies = iter([True])

    def once(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        if next(dies, False):
            provider.end(machine.cluster, machine.place, 1)
        else:
            works(provider, machine, folder)

    provider = Scarce(once, times=RULES.restarts + 3, at_start=True)
    assert carry_out(store, settings, provider) == "completed"
    assert provider.asked == RULES.restarts + 4
    assert log_of(settings, id).count("starts worker 0 again") == 1


def test_pauses_grow_to_a_bound_and_whatever_ends_a_pause_ends_the_waiting() -> None:
    provider, told, waited = Scarce(times=7), list[str](), list[float]()

    scarcity.until_free(provider._ask, told.append, waited.append)
    assert waited == [15.0, 30.0, 60.0, 120.0, 300.0, 300.0, 300.0]
    assert len(told) == 7

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        scarcity.until_free(Scarce(times=1)._ask, told.append, interrupt)
