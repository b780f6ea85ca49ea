"""A sweep as it is now, by its record and what the store knows of its jobs; changes nothing."""

import dataclasses
import math
from collections.abc import Mapping, Sequence

from workbench.errors import NotFound
from workbench.jobs import ENDED, Job, Point
from workbench.models import registry
from workbench.recipes import capitals
from workbench.sweeps import Record, Sweep, Trial, TrialRecord
from workbench.sweeps.records import open_records
from workbench.verbs.jobs import has_ended
from workbench.verbs.sweeps.asking import Asked
from workbench.verbs.workbench import Workbench

Curves = dict[int, tuple[Job, list[Point]]]
"""Jobs by their ids, with what they had on the validation part."""


def look(asked: Asked, workbench: Workbench) -> Sweep:
    """The sweep as it is now; changes nothing."""
    return look_again(asked, workbench, open_records(workbench.settings).read(asked.id), {})


def look_again(asked: Asked, workbench: Workbench, record: Record, ended: Curves) -> Sweep:
    """The sweep as it is now; ``ended`` keeps jobs that have ended, so that they are asked for once."""
    seen: Curves = {}
    for trial in record.trials:
        if trial.job is not None and (found := ended.get(trial.job) or _read(workbench, trial.job)):
            seen[trial.job] = found
            if has_ended(found[0]):
                ended[trial.job] = found
    points = [point for _, curve in seen.values() for point in curve]
    metric = asked.options.metric or ("accuracy" if all(p.accuracy is not None for p in points) else "loss")
    trials = tuple(_trial(asked, trial, seen.get(trial.job or 0), metric) for trial in record.trials)
    sweep = Sweep(asked.id, asked.request.name, asked.method, metric, asked.space, asked.trials, trials)
    return dataclasses.replace(sweep, version=_published(asked, workbench, sweep))


def _read(workbench: Workbench, id: int) -> tuple[Job, list[Point]] | None:
    try:
        return workbench.store.job(id), workbench.store.curve(id).validation
    except NotFound:  # the store was taken away
        return None


def _trial(asked: Asked, record: TrialRecord, found: tuple[Job, list[Point]] | None, metric: str) -> Trial:
    settings = record.settings
    if found is None:
        return Trial(record.number, settings, record.job, "failed" if record.job else "queued")
    job, curve = found
    scores = {p.epoch: s for p in curve if (s := _score(p, metric)) is not None}
    state = job.state if job.state not in ENDED or has_ended(job) else "exporting"
    if state == "terminated" and record.stopped:
        state = "stopped"
    return Trial(
        record.number,
        settings,
        job.id,
        state,
        scores,
        _final(asked, settings, curve, metric) if state == "completed" else None,
        job.accuracy,
        job.version,
        job.execution_s,
        job.cost,
        job.error.message if job.error else "",
    )


def _score(point: Point, metric: str) -> float | None:
    score = point.accuracy if metric == "accuracy" else point.loss
    return None if score is None or not math.isfinite(score) else score


def _final(asked: Asked, settings: Mapping[str, object], curve: Sequence[Point], metric: str) -> float | None:
    """The score of the weights that a version has: of the last epoch, or with ``PATIENCE`` of the one with the least loss."""
    patience = settings.get("PATIENCE")
    if "PATIENCE" not in settings and (there := capitals.capitals(asked.request.recipe).get("PATIENCE")):
        patience = there.value if there.written != "None" else None
    known = [point for point in curve if _score(point, metric) is not None]
    if not known:
        return None
    losses = [point.loss for point in known if point.loss is not None]
    if patience is None or len(losses) < len(known):
        return _score(known[-1], metric)
    return _score(known[losses.index(min(losses))], metric)


def _published(asked: Asked, workbench: Workbench, sweep: Sweep) -> str | None:
    """The version of the model that the best trial's job made, where it has become one."""
    best = sweep.best
    if best is None or (len(sweep.trials) < sweep.wanted and not all(t.is_over for t in sweep.trials)):
        return None
    versions = registry.versions(workbench.settings, asked.request.name)
    return next((str(version) for version in versions if version.manifest.job == best.job), None)
