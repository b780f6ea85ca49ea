"""Runs jobs with machines in memory, and stands in for what machines do and leave."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.stub_tools import measures, passes
from workbench import events, runner
from workbench.jobs import Job, Store
from workbench.machines import Layout, Machine
from workbench.machines.fake import Behaviour, FakeProvider
from workbench.recipes import Recipe
from workbench.runner.faults import Rules
from workbench.runner.tools import Check, Measure
from workbench.settings import Settings

RECIPE = Recipe("", "def load_data(): ...", "def build_model(): ...")
RULES = Rules(silent_s=600.0, settle_s=0.1, restarts=2, heartbeat_s=0.1)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    settings.home.mkdir()
    settings.logs.mkdir()
    with Store(settings.database_url) as store:
        yield store


def submit(store: Store, **more: object) -> int:
    return store.submit(**{"name": "net", "requester": "ann", "recipe": RECIPE, **more})  # type: ignore[arg-type]


def writer(machine: Machine, folder: Path) -> events.Writer:
    place = f"{machine.role}-{machine.index}"
    return events.Writer(folder / "machines" / place / "events.jsonl", machine.role, machine.index)


def leads(machine: Machine, folder: Path) -> bool:
    job = json.loads((folder / "job.json").read_text())
    return machine.place == Layout(job["ps"], job["workers"]).leader


def train(machine: Machine, folder: Path, steps: int = 4, of: int = 4) -> None:
    """What a leading machine leaves: its events and, after all steps, an export."""
    with writer(machine, folder) as says:
        says.phase("training")
        for step in range(1, steps + 1):
            says.metric(events.Progress(step=step, of=of, epoch=1, loss=1 / step, accuracy=step / of))
        says.phase("exporting")
        export(folder)
        says.phase("done")


def export(folder: Path) -> None:
    (folder / "export").mkdir()
    (folder / "export" / "model.keras").write_text("weights")
    (folder / "fields.json").write_text(json.dumps({"metrics": {"accuracy": 0.75}, "labels": ["a"]}))


def works(provider: FakeProvider, machine: Machine, folder: Path) -> None:
    """Every machine does what it should, at once."""
    if leads(machine, folder):
        train(machine, folder)
    else:
        with writer(machine, folder) as says:
            says.phase("done")
    provider.end(machine.cluster, machine.place, 0)


def run(
    store: Store,
    settings: Settings,
    behaviour: Behaviour = works,
    *,
    provider: FakeProvider | None = None,
    check: Check = passes,
    measure: Measure = measures,
    rules: Rules = RULES,
) -> Job:
    """Give the next job its turn and run it to its end."""
    job = store.claim("me", cap=1)
    assert job is not None
    provider = provider or FakeProvider(behaviour)
    runner.run(job.id, "me", store, settings, provider=provider, check=check, measure=measure, rules=rules)
    ended = store.job(job.id)
    assert provider.machines() == []
    assert ended.lease is None
    return ended


def runner_settings(settings: Settings, cap: int, per_requester: int) -> Settings:
    return replace(settings, max_jobs=cap, max_jobs_per_requester=per_requester)


def elsewhere(behaviour: Behaviour, home: Path) -> FakeProvider:
    """Machines that write into a folder of their own, which only ``collect`` brings here."""
    there = home / "there"

    def collect(name: str, folder: Path, whole: bool) -> None:
        shutil.copytree(there / "machines", folder / "machines", dirs_exist_ok=True)
        if whole and (there / "fields.json").exists():
            shutil.copytree(there / "export", folder / "export", dirs_exist_ok=True)
            shutil.copy(there / "fields.json", folder / "fields.json")

    def work(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        there.mkdir(exist_ok=True)
        shutil.copy(folder / "job.json", there / "job.json")
        shutil.copytree(folder / "machines", there / "machines", dirs_exist_ok=True)
        behaviour(provider, machine, there)

    return FakeProvider(work, independent=True, collecting=collect)
