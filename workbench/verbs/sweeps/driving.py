"""A sweep under way: looks at the jobs, ends hopeless ones, submits the next, and publishes the best at the end.

Whoever drives it may die at any moment. The jobs know everything but which settings to try next, and those are kept
before a job is submitted; so the same sweep, asked for again, goes on with what is there.
"""

import dataclasses
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from workbench.errors import NotFound, SweepFailed
from workbench.jobs import ENDED, Job, JobFilter, Point
from workbench.models import registry
from workbench.recipes import capitals
from workbench.runner import AWS_CAPS
from workbench.sweeps import Domain, Record, Sweep, Trial, TrialRecord, propose, stopping
from workbench.sweeps.records import Records
from workbench.sweeps.spaces import Choice
from workbench.verbs.jobs import has_ended
from workbench.verbs.sweeps.asking import Asked
from workbench.verbs.workbench import Workbench

Curves = dict[int, tuple[Job, list[Point]]]
"""Jobs by their ids, with what they had on the validation part."""
POLL_S = 0.5
HOPELESS = 3
"""Trials that all failed, after which no more are begun."""


@dataclass(frozen=True)
class Forecast:
    """What a sweep may take in all; ``None`` where nobody knows.

    Attributes
    ----------
    trials, at_once
        Trials that are still to be run, and how many run at a time.
    """

    trials: int
    at_once: int
    seconds: float | None
    price: float | None
    basis: str


def forecast(asked: Asked, workbench: Workbench) -> Forecast:
    """Foretell time and price of the trials that are left: from former jobs, else from a dry run of the recipe."""
    left = asked.trials - sum(trial.is_over for trial in look(asked, workbench).trials)
    at_once = min(_at_once(asked, workbench), max(1, left))
    if left <= 0:
        return Forecast(0, at_once, 0.0, 0.0, "every trial has ended")
    epochs = asked.request.epochs
    if (domain := asked.space.get("EPOCHS")) is not None:
        epochs = _middle(domain)
    request = dataclasses.replace(asked.request, epochs=epochs)
    one = workbench.requests.estimate(request)
    if one.seconds is None:
        one = workbench.requests.estimate(request, workbench.requests.check(request.recipe, request.workers))
    seconds = None if one.seconds is None else one.seconds * math.ceil(left / at_once)
    if seconds is not None and asked.request.provider == "local":
        # They share the cores of one computer: together they are hardly sooner than one after the other.
        seconds = (one.seconds or 0.0) * left
    return Forecast(left, at_once, seconds, None if one.price is None else one.price * left, one.basis)


def look(asked: Asked, workbench: Workbench) -> Sweep:
    """The sweep as it is now; changes nothing."""
    return _look(asked, workbench, _records(workbench).read(asked.id))


def run(
    asked: Asked,
    workbench: Workbench,
    tell: Callable[[Sweep], None] = lambda _: None,
    *,
    every_s: float = POLL_S,
) -> Sweep:
    """Go on until every trial has ended, and publish the best as a version of the model.

    Parameters
    ----------
    tell
        Is given the sweep whenever it was looked at.

    Raises
    ------
    Conflict
        Another process drives this sweep.
    SweepFailed
        No trial came to a version.
    """
    records = _records(workbench)
    with records.held(asked.id):
        record = _with_jobs(asked, workbench, records.read(asked.id))
        curves: Curves = {}
        while True:
            sweep = _look(asked, workbench, record, curves)
            tell(sweep)
            for trial in _hopeless(asked, sweep):
                if not record.trials[trial.number - 1].stopped:
                    record = _changed(record, trial.number, stopped=max(trial.scores))
                    records.write(record)
                if trial.job is not None:
                    workbench.store.ask_terminate(trial.job)
            waiting = [trial for trial in record.trials if trial.job is None]
            running = sum(not trial.is_over for trial in sweep.trials) - len(waiting)
            if waiting:
                record = _submit(asked, workbench, record, waiting[0])
                records.write(record)
            elif running < _at_once(asked, workbench) and (begun := _next(asked, record, sweep)):
                # Kept before it is submitted: what dies in between is not tried twice.
                record = dataclasses.replace(record, trials=(*record.trials, begun))
                records.write(record)
            elif running:
                workbench.jobs.tick()
                time.sleep(every_s)
            else:
                break
        return _publish(asked, workbench, sweep)


def _records(workbench: Workbench) -> Records:
    return Records(workbench.settings.home / "sweeps")


def _at_once(asked: Asked, workbench: Workbench) -> int:
    if asked.request.cluster is not None:
        return 1  # whose jobs come one after the other
    local = workbench.settings.max_jobs_per_requester
    cap = local if asked.request.provider == "local" else AWS_CAPS[1]
    return min(cap, asked.at_once or cap)


def _next(asked: Asked, record: Record, sweep: Sweep) -> TrialRecord | None:
    if len(record.trials) >= asked.trials:
        return None
    failed = [trial for trial in sweep.trials if trial.state == "failed"]
    if len(failed) >= HOPELESS and not any(trial.scores for trial in sweep.trials):
        return None
    settings = propose(asked.method, asked.space, sweep.tried(), asked.seed)
    if settings is None:
        return None
    written = {name: repr(value) for name, value in settings.items()}
    return TrialRecord(len(record.trials) + 1, written, asked.recipe(settings).sha256)


def _submit(asked: Asked, workbench: Workbench, record: Record, trial: TrialRecord) -> Record:
    request = asked.trial(asked.recipe(trial.settings))
    return _changed(record, trial.number, job=workbench.jobs.submit(request))


def _with_jobs(asked: Asked, workbench: Workbench, record: Record) -> Record:
    """The record, with the jobs that were submitted and could not be noted down any more."""
    if all(trial.job is not None for trial in record.trials):
        return record
    noted = {trial.job for trial in record.trials}
    found = workbench.store.page(JobFilter(text=asked.id), limit=10_000).jobs
    free = {job.recipe_sha256: job.id for job in found if job.name == asked.id and job.id not in noted}
    for trial in record.trials:
        if trial.job is None and trial.recipe in free:
            record = _changed(record, trial.number, job=free[trial.recipe])
    return record


def _changed(record: Record, number: int, **values: int) -> Record:
    return dataclasses.replace(
        record,
        trials=tuple(
            dataclasses.replace(one, **values) if one.number == number else one  # type: ignore[arg-type]
            for one in record.trials
        ),
    )


def _look(asked: Asked, workbench: Workbench, record: Record, ended: Curves | None = None) -> Sweep:
    """See ``look``; ``ended`` keeps jobs that have ended, so that they are asked for once."""
    ended = {} if ended is None else ended
    seen: Curves = {}
    for trial in record.trials:
        if trial.job is not None and (found := ended.get(trial.job) or _read(workbench, trial.job)):
            seen[trial.job] = found
            if has_ended(found[0]):
                ended[trial.job] = found
    points = [point for _, curve in seen.values() for point in curve]
    metric = asked.metric or ("accuracy" if all(p.accuracy is not None for p in points) else "loss")
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


def _hopeless(asked: Asked, sweep: Sweep) -> list[Trial]:
    if not asked.early_stopping:
        return []

    def worths(trial: Trial) -> dict[int, float]:
        return {epoch: sweep.worth(score) for epoch, score in trial.scores.items()}

    ended = [worths(trial) for trial in sweep.trials if trial.state == "completed"]
    return [
        trial
        for trial in sweep.trials
        if trial.state == "training" and stopping.should_stop(worths(trial), ended)
    ]


def _publish(asked: Asked, workbench: Workbench, sweep: Sweep) -> Sweep:
    best = sweep.best
    if best is None:
        said = next((trial.error for trial in sweep.trials if trial.error), "")
        raise SweepFailed(
            f"none of {len(sweep.trials)} trials came to a version{f': {said}' if said else ''}; see: workbench jobs"
        )
    if sweep.version is None:
        found = registry.find(f"{asked.id}:{best.version}", workbench.settings)
        version = registry.add_copy(found, asked.request.name, workbench.settings)
        sweep = dataclasses.replace(sweep, version=str(version))
    return sweep


def _published(asked: Asked, workbench: Workbench, sweep: Sweep) -> str | None:
    """The version of the model that the best trial's job made, where it has become one."""
    best = sweep.best
    if best is None or (len(sweep.trials) < sweep.wanted and not all(t.is_over for t in sweep.trials)):
        return None
    versions = registry.versions(workbench.settings, asked.request.name)
    return next((str(version) for version in versions if version.manifest.job == best.job), None)


def _middle(domain: Domain) -> int:
    values: tuple[object, ...] = domain.values if isinstance(domain, Choice) else (domain.low, domain.high)
    numbers = [float(str(value)) for value in values]
    return max(1, round(sum(numbers) / len(numbers)))
