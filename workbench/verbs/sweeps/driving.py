"""A sweep under way: ends hopeless trials, submits the next, and publishes the best at the end.

Whoever drives it may die at any moment. The jobs know everything but which settings to try next, and those are kept
before a job is submitted; so the same sweep, asked for again, goes on with what is there.
"""

import dataclasses
import time
from collections.abc import Callable

from workbench.errors import SweepFailed, Unavailable, WorkbenchError
from workbench.jobs import JobFilter
from workbench.models import registry
from workbench.sweeps import Record, Sweep, Trial, TrialRecord, propose, spending, stopping
from workbench.sweeps.records import Records, open_records
from workbench.verbs.sweeps import kept
from workbench.verbs.sweeps.asking import Asked
from workbench.verbs.sweeps.looking import Curves, look_again
from workbench.verbs.workbench import Workbench

POLL_S = 0.5
HOPELESS = 3
"""Trials that all failed, after which no more are begun."""


def run(
    asked: Asked,
    workbench: Workbench,
    tell: Callable[[Sweep], None] = lambda _: None,
    *,
    every_s: float = POLL_S,
    attended: bool = True,
) -> Sweep:
    """Go on until every trial has ended, and publish the best as a version of the model.

    Parameters
    ----------
    tell
        Is given the sweep whenever it was looked at.
    attended
        Whether somebody asks for it now: a wish to stop it is then one of the past.

    Raises
    ------
    Conflict
        Another process drives this sweep.
    SweepFailed
        No trial came to a version.
    """
    records, settings = open_records(workbench.settings), workbench.settings
    with records.held(asked.id):
        asked = kept.keep(asked, settings)
        if attended:
            records.ask_stop(asked.id, False)
        try:
            sweep = _publish(asked, workbench, _drive(asked, workbench, records, tell, every_s))
        except Unavailable:  # goes on later, if nobody waits for it
            raise
        except WorkbenchError as error:
            kept.keep(asked, settings, error=str(error))
            records.set_unattended(asked.id, False)
            raise
        records.set_unattended(asked.id, False)
        return sweep


def _drive(
    asked: Asked, workbench: Workbench, records: Records, tell: Callable[[Sweep], None], every_s: float
) -> Sweep:
    record = _with_jobs(asked, workbench, records.read(asked.id))
    curves: Curves = {}
    while True:
        sweep = look_again(asked, workbench, record, curves)
        tell(sweep)
        ends = records.is_stop_asked(asked.id) or spending.is_used_up(sweep.trials, asked.options.max_price)
        if ends and (left := _end(workbench, record, sweep)) != record:
            record = left
            records.write(record)
        for trial in _hopeless(asked, sweep):
            if not record.trials[trial.number - 1].stopped:
                record = _changed(record, trial.number, stopped=max(trial.scores))
                records.write(record)
            if trial.job is not None:
                workbench.store.ask_terminate(trial.job)
        waiting = [trial for trial in record.trials if trial.job is None]
        running = sum(not trial.is_over for trial in sweep.trials if trial.job is not None)
        if waiting:
            record = _submit(asked, workbench, record, waiting[0])
            records.write(record)
        elif running < asked.jobs_at_once(workbench.settings) and (
            begun := _next(asked, records, record, sweep)
        ):
            # Kept before it is submitted: what dies in between is not tried twice.
            record = dataclasses.replace(record, trials=(*record.trials, begun))
            records.write(record)
        elif running:
            workbench.jobs.tick()
            time.sleep(every_s)
        else:
            return look_again(asked, workbench, record, curves)


def _end(workbench: Workbench, record: Record, sweep: Sweep) -> Record:
    """Ask for the end of all that trains; what exports is done in a moment. Trials without a job never were."""
    for trial in sweep.trials:
        if trial.job is not None and not trial.is_over and trial.state != "exporting":
            workbench.store.ask_terminate(trial.job)
    return dataclasses.replace(record, trials=tuple(one for one in record.trials if one.job is not None))


def _next(asked: Asked, records: Records, record: Record, sweep: Sweep) -> TrialRecord | None:
    if len(record.trials) >= asked.trials or records.is_stop_asked(asked.id):
        return None
    if not spending.may_begin(sweep.trials, asked.options.max_price):
        return None
    failed = [trial for trial in sweep.trials if trial.state == "failed"]
    if len(failed) >= HOPELESS and not any(trial.scores for trial in sweep.trials):
        return None
    settings = propose(asked.method, asked.space, sweep.tried(), asked.options.seed)
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


def _hopeless(asked: Asked, sweep: Sweep) -> list[Trial]:
    if not asked.options.early_stopping:
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
        said = next((trial.error for trial in sweep.trials if trial.error), "") or spending.said(
            sweep.trials, asked.options.max_price, asked.trials
        )
        raise SweepFailed(
            f"none of {len(sweep.trials)} trials came to a version{f': {said}' if said else ''}; see: workbench jobs"
        )
    if sweep.version is None:
        found = registry.find(f"{asked.id}:{best.version}", workbench.settings)
        version = registry.add_copy(found, asked.request.name, workbench.settings)
        sweep = dataclasses.replace(sweep, version=str(version))
    return sweep
