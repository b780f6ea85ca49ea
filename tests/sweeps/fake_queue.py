"""A queue whose jobs train in no time, and sweeps that go through it."""

import dataclasses
import math
from collections.abc import Callable, Mapping

from workbench.events import Error, Metric, Phase
from workbench.jobs import ACTIVE
from workbench.machines.fake import FakeProvider
from workbench.manifest import Manifest
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.recipes.capitals import capitals
from workbench.settings import Settings
from workbench.sweeps import Sweep
from workbench.verbs import sweeps
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench, open_store

RECIPE = Recipe("", "def load_data(): ...\n", "UNITS = 8\nRATE = 1e-3\nEPOCHS = 4\ndef build_model(): ...\n")
EPOCHS = 3

Score = Callable[[Mapping[str, object], int], float]
"""Accuracy after an epoch, by a trial's settings."""


class Queue:
    """Runners whose machines do one epoch whenever they are looked at."""

    def __init__(self, settings: Settings, score: Score) -> None:
        self.score = score
        self.running: dict[int, tuple[str, int]] = {}
        self.most = 0
        self.store = open_store(settings)
        self.settings = dataclasses.replace(settings, max_jobs=2, max_jobs_per_requester=2)
        self.workbench = Workbench(
            self.settings, self.store, start=self.start, open_provider=lambda name, _: FakeProvider()
        )

    def start(self, id: int, runner: str) -> None:
        self.running[id] = runner, 0
        self.most = max(self.most, len(self.running))

    def go_on(self, _: Sweep | None = None) -> None:
        for id, (runner, epoch) in list(self.running.items()):
            job = self.store.job(id)
            assert job.recipe is not None
            settings = {name: found.value for name, found in capitals(job.recipe).items()}
            t = job.times["initializing"] + 1e-6 * (epoch + 1)  # in the past, so that it costs something
            if job.terminate_asked is not None:
                self.store.move(id, ACTIVE, "terminated", runner=runner)
            elif settings["UNITS"] == 0:
                error = Error(t, "worker", 0, "training, line 4: no units", "training", 4)
                self.store.move(id, ACTIVE, "failed", runner=runner, error=error)
            elif epoch < EPOCHS:
                self.store.apply(id, [Phase(t, "worker", 0, "training")])
                accuracy = self.score(settings, epoch + 1)
                metric = Metric(
                    step=epoch + 1, of=EPOCHS, epoch=epoch + 1, loss=1.0, accuracy=accuracy,
                    val_loss=1 - accuracy, val_accuracy=accuracy, t=t, role="worker", index=0,
                )  # fmt: skip
                self.store.apply(id, [metric])
                self.running[id] = runner, epoch + 1
                continue
            else:
                self.store.move(id, "training", "exporting", runner=runner)
                version = registry.add(job.name, lambda _, id=id: Manifest(job=id), self.settings)  # type: ignore[misc]
                self.store.move(
                    id, "exporting", "completed", runner=runner, accuracy=0.5, version=version.version
                )
            self.store.release(id, runner)
            del self.running[id]
        self.workbench.jobs.tick()


def by_units(settings: Mapping[str, object], epoch: int) -> float:
    return float(str(settings["UNITS"])) / 100 + epoch / 1000


def ask(queue: Queue, settings: Mapping[str, object], **more: object) -> sweeps.Asked:
    request = Request("net", "ann", RECIPE)
    return sweeps.ask(request, settings, sweeps.Options(**more))  # type: ignore[arg-type]


def run(queue: Queue, asked: sweeps.Asked) -> Sweep:
    return sweeps.run(asked, queue.workbench, queue.go_on, every_s=0)


def make_sweep(settings: Settings) -> str:
    """A home with a sweep that has ended; its id."""

    def score(values: Mapping[str, object], epoch: int) -> float:
        units, rate = float(str(values["UNITS"])), float(str(values["RATE"]))
        return 0.97 - abs(units - 48) / 400 - abs(math.log10(rate) + 2) / 20 + epoch / 300

    queue = Queue(settings, score)
    with queue.store:
        asked = ask(queue, {"UNITS": "16..96", "RATE": "1e-4..1e-1:log"}, trials=12, method="random")
        return run(queue, asked).id
