"""A preview as the page has it: which checkpoint its task is given, and that no link is followed."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from workbench.errors import Unavailable, WorkbenchError
from workbench.fields import Fields
from workbench.lineage import DatasetPin, parse_pins
from workbench.machines import Machine
from workbench.recipes import read
from workbench.settings import Settings
from workbench.tasks import preview as module
from workbench.tasks.preview import Preview, Wanted
from workbench.verbs.recipes import SHIPPED
from workbench.verbs.workbench import open_store

READY = {"input": {"kind": "image", "shape": [28, 28, 1]}, "preprocessing": "mnist", "labels": ["a", "b"]}


@dataclass
class Provider:
    """Begins a task that says at once that it is ready, or that it is not."""

    ready: dict[str, Any] = field(default_factory=lambda: READY)
    state: str = "running"
    ended: list[str] = field(default_factory=list)

    def launch_task(self, name: str, folder: Path, task: str, limits: object) -> list[Machine]:
        assert task == module.TASK
        assert (folder / "recipe" / "training.py").exists()
        if self.state == "running":
            (folder / "ready.json").write_text(json.dumps(self.ready))
        return self.machines(name)

    def machines(self, name: str | None = None) -> list[Machine]:
        return [Machine(name, "task", 0, self.state, "")] if name else []

    def terminate(self, name: str) -> None:
        self.ended.append(name)


@dataclass
class Stand:
    """A job's folder, and a preview of it."""

    preview: Preview
    provider: Provider
    home: Path

    @property
    def last(self) -> Path:
        return self.home / "jobs" / str(self.preview.job.id) / "checkpoints" / "last"

    @property
    def task(self) -> Path:
        (folder,) = (self.home / "jobs").glob(f"{module.NAME}*")
        return folder

    def save(self, step: int) -> None:
        """A checkpoint as a job leaves it."""
        self.last.mkdir(parents=True, exist_ok=True)
        for part in ("index", "data-00000-of-00001"):
            (self.last / f"ckpt-{step}.{part}").write_text(f"{part} of {step}")
        (self.last / "checkpoint").write_text(f'model_checkpoint_path: "ckpt-{step}"\n')


@pytest.fixture
def stand(settings: Settings) -> Iterator[Stand]:
    with open_store(settings) as store:
        id = store.submit(name="live", requester="ann", recipe=read(SHIPPED / "mnist-mlp"))
        provider = Provider()
        preview = Preview(store.job(id), settings, provider)  # type: ignore[arg-type]
        yield Stand(preview, provider, settings.home)
        preview.close()


def test_the_task_has_the_versions_of_data_sets_that_the_job_learns_from(settings: Settings) -> None:
    with open_store(settings) as store:
        pins = {"flowers": DatasetPin(2, "ab" * 32)}
        id = store.submit(name="live", requester="ann", recipe=read(SHIPPED / "mnist-mlp"), datasets=pins)
        preview = Preview(store.job(id), settings, Provider())  # type: ignore[arg-type]
        preview.start()
        (task,) = (settings.home / "jobs").glob(f"{module.NAME}*/task.json")
        assert parse_pins(Fields(json.loads(task.read_text())), "datasets") == pins
        preview.close()


def test_the_task_is_given_each_checkpoint_once_when_it_is_new(stand: Stand) -> None:
    assert stand.preview.start() == Wanted("image", (28, 28, 1), "mnist", ("a", "b"))
    assert not stand.preview.keep()
    assert not stand.preview.checkpoint
    stand.save(420)
    assert stand.preview.keep()
    assert not stand.preview.keep()
    assert (stand.task / "ckpt-420.index").read_text() == "index of 420"
    assert json.loads((stand.task / "newest.json").read_text()) == {"name": "ckpt-420"}
    stand.save(840)
    assert stand.preview.keep()
    assert stand.preview.checkpoint is not None
    assert stand.preview.checkpoint.step == 840
    folder = stand.task
    stand.preview.close()
    assert not folder.exists()
    assert stand.provider.ended == [folder.name]


def test_links_that_a_jobs_code_or_the_previews_left_lead_nowhere(stand: Stand, tmp_path: Path) -> None:
    stand.preview.start()
    secret = tmp_path / "secret"
    secret.write_text("a token")
    stand.save(420)
    (stand.last / "ckpt-420.index").unlink()
    (stand.last / "ckpt-420.index").symlink_to(secret)
    assert not stand.preview.keep()
    assert not (stand.task / "ckpt-420.index").exists()
    (stand.task / "lease").unlink()
    (stand.task / "lease").symlink_to(secret)
    stand.save(840)
    assert stand.preview.keep()
    assert secret.read_text() == "a token"


def test_what_the_recipe_says_and_a_task_that_ended_are_told(stand: Stand) -> None:
    stand.provider.ready = {"error": "training, line 3: no"}
    with pytest.raises(WorkbenchError, match="could not be built: training, line 3"):
        stand.preview.start()
    stand.preview.close()
    other = Preview(stand.preview.job, stand.preview._settings, Provider(state="stopped"))  # type: ignore[arg-type]
    with pytest.raises(Unavailable, match="has ended; start it again"):
        other.start()
    other.close()
