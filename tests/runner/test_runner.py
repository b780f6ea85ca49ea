"""A job in the hands of its runner, from its turn in the queue to a published version; with machines in memory."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.runner.stand import (
    elsewhere,
    run,
    submit,
    train,
    works,
    writer,
)
from workbench.errors import ModelRefused, RecipeError
from workbench.jobs import Job, Store
from workbench.machines import Layout, Machine
from workbench.machines.fake import FakeProvider
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.tasks.verification import Measured


@pytest.mark.parametrize(("ps", "workers"), [(0, 1), (0, 2), (1, 2)])
def test_a_job_ends_completed_with_a_published_version(
    store: Store, settings: Settings, ps: int, workers: int
) -> None:
    submit(store, ps=ps, workers=workers)

    job = run(store, settings)

    assert (job.state, job.version, job.accuracy, job.step, job.of) == ("completed", 1, 0.75, 4, 4)
    version = registry.find("net:1", settings)
    assert version.manifest.job == job.id
    assert (version.folder / "model.keras").read_text() == "weights"
    assert [m.state for m in job.machines] == ["terminated"] * len(Layout(ps, workers).places)
    assert list(job.times) == ["queued", "initializing", "training", "exporting", "completed"]


def test_the_machines_get_the_recipe_byte_for_byte_and_nothing_of_an_attempt_before(
    store: Store, settings: Settings
) -> None:
    source = "x = 'ä\\'\"'\n\tdef"
    id = submit(store, recipe=Recipe("", source, "#"), epochs=7)
    folder = settings.home / "jobs" / str(id)
    (folder / "checkpoints").mkdir(parents=True)
    (folder / "fields.json").write_text("{}")
    seen: list[object] = []

    def look(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        seen.append((folder / "recipe" / "preprocessing.py").read_bytes().decode())
        seen.append(json.loads((folder / "job.json").read_text())["epochs"])
        seen.append(sorted(path.name for path in folder.iterdir()))
        works(provider, machine, folder)

    assert run(store, settings, look).state == "completed"
    assert seen == [source, 7, ["job.json", "machines", "recipe"]]


def test_a_recipe_that_fails_its_check_gets_no_machine(store: Store, settings: Settings) -> None:
    submit(store)

    def check(job: Job, stop: Callable[[], bool]) -> str:
        raise RecipeError("training, line 2: no", field="training", line=2, traceback="Traceback …")

    job = run(store, settings, lambda *_: pytest.fail("a machine was begun"), check=check)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.message, job.error.field, job.error.line) == ("training, line 2: no", "training", 2)
    assert job.machines == ()


def test_a_machine_whose_recipe_code_fails_fails_the_job_with_its_role_and_reason(
    store: Store, settings: Settings
) -> None:
    submit(store, workers=2)

    def raises(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        if machine.index == 1:
            with writer(machine, folder) as says:
                path = folder / "machines" / "worker-1" / "recipe" / "training.py"
                says.error("ValueError: no", field="training", line=3, traceback=f'File "{path}", line 3')
            provider.end(machine.cluster, machine.place, 3)

    job = run(store, settings, raises)

    assert job.state == "failed"
    assert job.error is not None
    assert (job.error.role, job.error.index, job.error.message) == ("worker", 1, "ValueError: no")
    assert job.error.traceback == 'File "training.py", line 3'


def test_a_model_that_was_not_trained_to_the_end_is_never_published(store: Store, settings: Settings) -> None:
    submit(store)

    def half(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        train(machine, folder, steps=2)
        provider.end(machine.cluster, machine.place, 0)

    job = run(store, settings, half)

    assert job.state == "failed"
    assert job.error is not None
    assert "after 2 of 4 steps" in job.error.message
    assert registry.versions(settings) == []


def test_a_model_that_cannot_be_loaded_back_is_never_published(store: Store, settings: Settings) -> None:
    submit(store)

    def refuses(folder: Path, expected: str, stop: Callable[[], bool]) -> Measured:
        raise ModelRefused("saved_model answers otherwise")

    job = run(store, settings, measure=refuses)

    assert job.state == "failed"
    assert job.error is not None
    assert job.error.message == "saved_model answers otherwise"
    assert registry.versions(settings) == []


def test_a_link_in_the_export_is_refused(store: Store, settings: Settings) -> None:
    submit(store)
    (settings.home / "token").write_text("secret")

    def steals(provider: FakeProvider, machine: Machine, folder: Path) -> None:
        train(machine, folder)
        (folder / "export" / "stolen").symlink_to(settings.home / "token")
        provider.end(machine.cluster, machine.place, 0)

    job = run(store, settings, steals)

    assert job.state == "failed"
    assert job.error is not None
    assert "no plain file: stolen" in job.error.message


def test_what_machines_elsewhere_left_is_brought_here_and_the_version_is_kept_there(
    store: Store, settings: Settings
) -> None:
    submit(store, ps=1, workers=1)
    provider = elsewhere(works, settings.home)

    job = run(store, settings, provider=provider)

    assert (job.state, job.accuracy, job.step) == ("completed", 0.75, 4)
    assert provider.kept == {"net:1": settings.home / "jobs" / str(job.id)}


def test_a_job_that_has_cost_what_it_may_fails_and_says_so(store: Store, settings: Settings) -> None:
    for caps, word in (
        ({"max_price_per_job": 1.0}, "one job may cost $1.00"),
        ({"max_price_per_requester": 2.5}, "jobs of one requester that are at work may cost $2.50"),
    ):
        submit(store, price_per_hour=3.6e7)
        job = run(store, replace(settings, **caps), lambda *_: None)  # type: ignore[arg-type]

        assert job.state == "failed"
        assert job.error is not None
        assert word in job.error.message
