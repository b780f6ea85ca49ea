"""A home in which jobs of every state are, as the store, the machines and the registry leave them; nothing runs."""

import math
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench import recipes
from workbench.events import Error, Event, Metric, Phase
from workbench.jobs import MachineRecord, Store
from workbench.manifest import Manifest
from workbench.models import evaluation, registry
from workbench.settings import Settings
from workbench.verbs.recipes import SHIPPED
from workbench.verbs.workbench import open_store

RECIPE = recipes.read(SHIPPED / "mnist-mlp")
STEPS, EPOCHS = 2_100, 5
TRACEBACK = """\
Traceback (most recent call last):
  File "training.py", line 26, in build_model
    return modle
NameError: name 'modle' is not defined
"""


@dataclass
class Clock:
    """The store's clock while jobs are made; it can be put back."""

    t: float

    def __call__(self) -> float:
        return self.t


def make_jobs(settings: Settings) -> dict[str, int]:
    """Fill an empty home; the ids of its jobs by what they are."""
    clock = Clock(time.time() - 7200)
    open_store(settings).close()
    with Store(settings.database_url, clock=clock) as store:
        made = {
            "completed": _completed(store, clock, settings),
            "second": _completed(store, clock, settings, ps=0, workers=1, requester="bob", best=0.969),
            "failed": _failed(store, clock),
            "terminated": _terminated(store, clock),
        }
        clock.t = time.time() - 75
        made["training"] = _training(store, clock, settings)
        made["initializing"] = _begin(store, clock, requester="bob", name="fashion-cnn")
        made["queued"] = store.submit(name="tabular", requester="ann", recipe=RECIPE)
        made["waiting"] = store.submit(name="mnist-residual", requester="carol", recipe=RECIPE, workers=4)
        clock.t = time.time() + 3600
        for name in ("training", "initializing"):
            store.heartbeat(made[name], "made")
    return made


def _begin(store: Store, clock: Clock, **more: Any) -> int:
    asked: dict[str, Any] = {"name": "mnist-mlp", "requester": "ann", "recipe": RECIPE, "price_per_hour": 0.0}
    id = store.submit(**{**asked, **more})
    clock.t += 1.5
    claimed = store.claim("made", cap=100)
    assert claimed is not None
    assert claimed.id == id
    return id


def _train(store: Store, id: int, clock: Clock, steps: int, best: float, took_s: float) -> None:
    """Report what a training reports."""
    job = store.job(id)
    role, index = job.lead
    there = [("chief", 1)] * bool(job.ps) + [("ps", job.ps), ("worker", job.workers)]
    places = [(r, i) for r, count in there for i in range(count)]
    store.keep_machines(
        id, [MachineRecord(r, i, "running", pid=4_000 + 7 * n) for n, (r, i) in enumerate(places)]
    )
    events: list[Event] = [Phase(clock.t + 1, r, i, "training") for r, i in places]
    chance = np.random.default_rng(id)
    for step in range(20, steps + 1, 20):
        share = step / STEPS
        epoch = min(EPOCHS, 1 + int(share * EPOCHS))
        learnt = 1 - math.exp(-7 * share)
        ended = step % (STEPS // EPOCHS) == 0
        events.append(
            Metric(
                clock.t + 1 + took_s * step / steps,
                role,
                index,
                step=step,
                of=STEPS,
                epoch=epoch,
                loss=2.3 * (1 - learnt) + 0.08 + float(chance.normal(0, 0.02)),
                accuracy=0.1 + (best - 0.1) * learnt + float(chance.normal(0, 0.004)),
                val_loss=2.1 * (1 - learnt) + 0.1 if ended else None,
                val_accuracy=0.1 + (best - 0.1) * learnt + 0.003 if ended else None,
                images_per_s=3_400 + float(chance.normal(0, 120)) - 900 * math.exp(-step / 120),
                eta_s=took_s * (STEPS - step) / steps,
            )
        )
    store.apply(id, events)
    clock.t += took_s


def _completed(
    store: Store,
    clock: Clock,
    settings: Settings,
    *,
    ps: int = 1,
    workers: int = 2,
    requester: str = "ann",
    best: float = 0.982,
) -> int:
    id = _begin(store, clock, ps=ps, workers=workers, requester=requester)
    clock.t += 4
    _train(store, id, clock, STEPS, best, 62)
    _log(settings, id)
    version = _publish(settings, id, best)
    store.move(id, "training", "exporting")
    clock.t += 6
    store.move(id, "exporting", "completed", version=version, accuracy=best)
    _end_machines(store, id)
    store.release(id, "made")
    return id


def _end_machines(store: Store, id: int) -> None:
    store.keep_machines(id, [MachineRecord(m.role, m.index, "terminated") for m in store.job(id).machines])


def _publish(settings: Settings, id: int, best: float) -> int:
    """A version with an evaluation and its pictures; its model is none."""
    chance = np.random.default_rng(id)
    truth = chance.integers(0, 10, 1_000)
    x = np.zeros((1_000, 28, 28, 1), np.uint8)
    for k, digit in enumerate(truth):
        x[k, 4 + digit : 24, 6 : 8 + digit] = 40 + 20 * digit
    outputs = np.full((1_000, 10), 0.002, np.float32)
    right = chance.permutation(1_000) < round(1_000 * best)
    said = np.where(right, truth, (truth + 3) % 10)
    outputs[np.arange(1_000), said] = 0.982
    found = evaluation.evaluate(lambda _: outputs, (x, truth), [str(n) for n in range(10)])

    def write(aside: Path) -> Manifest:
        (aside / "model.keras").write_bytes(b"no model")
        (aside / "saved_model").mkdir()
        (aside / "saved_model" / "saved_model.pb").write_bytes(b"none")
        found.save(aside, x)
        return Manifest(job=id, labels=tuple(str(n) for n in range(10)), metrics=found.metrics)

    return registry.add("mnist-mlp", write, settings).version


def _failed(store: Store, clock: Clock) -> int:
    id = _begin(store, clock, name="mnist-broken")
    clock.t += 5
    error = Error(
        clock.t, "worker", 0, "training, line 26: name 'modle' is not defined", "training", 26, TRACEBACK
    )
    store.move(id, "initializing", "failed", error=error)
    store.release(id, "made")
    return id


def _terminated(store: Store, clock: Clock) -> int:
    id = _begin(store, clock, ps=2, workers=3, requester="bob")
    clock.t += 4
    _train(store, id, clock, 700, 0.975, 21)
    store.ask_terminate(id)
    store.move(id, "training", "terminated")
    _end_machines(store, id)
    store.release(id, "made")
    return id


def _training(store: Store, clock: Clock, settings: Settings) -> int:
    id = _begin(store, clock, ps=1, workers=2)
    clock.t += 4
    _train(store, id, clock, 1_260, 0.982, 38)
    _log(settings, id)
    return id


def _log(settings: Settings, id: int) -> None:
    for place in ("chief-0", "ps-0", "worker-0", "worker-1"):
        folder = settings.home / "jobs" / str(id) / "machines" / place
        folder.mkdir(parents=True)
        text = f"{place} is ready\n<script>alert('no')</script> is text\nwaiting for work …\n"
        (folder / "stdout.log").write_text(text)
