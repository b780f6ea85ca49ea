"""A job as HTML: its head, the way it took, its figures, machines and error. Pure functions."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from workbench.jobs import ACTIVE, ENDED, Job
from workbench.machines import Machine
from workbench.manifest import drawn_at
from workbench.recipes import Recipe
from workbench.ui.widgets.formats import duration, layout, money, ordinal, percent, time_left
from workbench.ui.widgets.pieces import badge, banner, table, when
from workbench.verbs.models import Version

AROUND = 3
"""Lines of the user's code shown before and after the one with the error."""


def head(job: Job) -> str:
    """Show a job's name, state and requester."""
    name = escape(job.name) + (f":{job.version}" if job.version is not None else "")
    place = "this computer" if job.provider == "local" else escape(job.provider)
    attempt = f", attempt {job.attempt}" if job.attempt > 1 else ""
    return (
        f'<div class="wb-job-head"><h3>{name}</h3>{badge(job.state)}'
        f'<span class="wb-muted">job {job.id} by {escape(job.requester)}, {layout(job.ps, job.workers)} on {place}{attempt}</span></div>'
    )


def links(job: Job, version: Version | None) -> str:
    """Link where one can draw at the job's model, or ask it, from its checkpoints while it trains, and its version's zip."""
    if version is not None:
        ask = "Draw at it" if drawn_at.takes_pictures(version.manifest) else "Ask it"
        name, file = (
            f"{escape(version.name)}/{version.version}.zip",
            f"{escape(version.name)}-{version.version}.zip",
        )
        return (
            f'<a class="wb-button" href="serve_and_predict.ipynb?model={escape(str(version))}">{ask}</a>'
            f'<a class="wb-button" href="/workbench/models/{name}" download="{file}">Download</a>'
        )
    if job.state in ("initializing", "training") and job.provider == "local":
        return f'<a class="wb-button" href="serve_and_predict.ipynb?job={job.id}">Draw at it</a>'
    return ""


def timeline(job: Job) -> str:
    """Show each state of the newest attempt, when it came and how long it lasted."""
    changes = [change for change in job.changes if change.attempt == job.attempt]
    items = []
    for n, change in enumerate(changes):
        last = n == len(changes) - 1
        lasted = "" if last else f", for {duration(changes[n + 1].t - change.t)}"
        now = ' class="wb-now"' if last and change.state not in ENDED else ""
        items.append(
            f'<li data-state="{change.state}"{now}><b>{change.state}</b>{when(change.t)}{lasted}</li>'
        )
    return f'<ol class="wb-timeline">{"".join(items)}</ol>'


def figures(job: Job) -> str:
    """Show how good, how long, how much."""
    now = job.progress
    shown = [("Execution time", duration(job.execution_s) if job.execution_s else "–")]
    if job.accuracy is not None:
        shown.insert(0, ("Test accuracy", percent(job.accuracy)))
    elif now is not None and now.val_accuracy is not None:
        shown.insert(0, ("Validation accuracy", percent(now.val_accuracy)))
    if now is not None and now.images_per_s and job.state == "training":
        shown.append(("Throughput", f"{now.images_per_s:,.0f} examples/s"))
    shown.append(("Cost", "–" if job.cost is None else money(job.cost)))
    shown.append(("Epochs", "as the code says" if job.epochs is None else str(job.epochs)))
    items = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>" for term, value in shown)
    return f'<dl class="wb-facts">{items}</dl>'


@dataclass(frozen=True)
class JobProgress:
    """The progress of a job as a bar shows it."""

    value: float | None
    text: str
    aside: str
    state: str


def progress(job: Job, position: int | None) -> JobProgress:
    """Say how far a job is and what it waits for."""
    now = job.progress
    done = now.step / now.of if now and now.of else 0.0
    steps = f"step {now.step:,} of {now.of:,}" if now else ""
    asked = job.terminate_asked is not None and job.state not in ENDED
    if asked:
        return JobProgress(done, "Terminating …", steps, "running")
    if job.state == "queued":
        return JobProgress(0.0, f"{ordinal(position or 1)} in the queue", "", "idle")
    if job.state == "initializing":
        return JobProgress(None, _initializing(job), "", "running")
    if job.state == "training" and now:
        parts = [time_left(now.eta_s)] if now.eta_s is not None else []
        return JobProgress(done, f"Epoch {now.epoch}, {steps}", ", ".join(parts), "running")
    if job.state in ACTIVE:
        text = "Evaluating and exporting the model …" if job.state == "exporting" else "The first steps …"
        return JobProgress(None, text, steps, "running")
    text = {"completed": "Completed", "failed": "Failed", "terminated": "Terminated"}[job.state]
    state = {"completed": "done", "failed": "failed", "terminated": "stopped"}[job.state]
    after = f" after {duration(job.execution_s)}" if job.execution_s else " before it began"
    return JobProgress(1.0 if job.state == "completed" else done, text + after, steps, state)


def _initializing(job: Job) -> str:
    if not job.machines:
        return "Trying the code on one batch …"
    if all(m.state == "waiting" for m in job.machines):
        return "No such machine is free just now: asked again every few minutes, until there is one or you terminate …"
    phases = sorted({m.phase or m.state for m in job.machines})
    return f"{len(job.machines)} machine{'s' if len(job.machines) > 1 else ''}: {', '.join(phases)} …"


def machines(job: Job, there: Sequence[Machine]) -> str:
    """Tabulate machines by role, with what they do, and where; ``there`` is what the provider shows."""
    if not job.machines:
        return ""
    addresses = {(m.role, m.index): m.address for m in there}
    rows = "".join(
        f"<tr><td>{escape(m.role)} {m.index}</td><td>{_machine_state(job, m.state)}</td><td>{escape(m.phase or '–')}</td>"
        f"<td><code>{escape(str(m.instance or m.pid or '–'))}</code></td>"
        f"<td><code>{escape(addresses.get((m.role, m.index), '') or '–')}</code></td></tr>"
        for m in job.machines
    )
    what = "Instance" if any(m.instance for m in job.machines) else "Process"
    return table("Machines", ("Role", "State", "Phase", what, "Address"), rows)


def _machine_state(job: Job, state: str) -> str:
    """Show the state of a machine; one that is gone because its job was done has finished, and was not cut short."""
    return (
        badge("completed", "finished") if (job.state, state) == ("completed", "terminated") else badge(state)
    )


def error(job: Job) -> str:
    """Show what ended a job: the message, the user's own lines around the place, and the traceback to unfold."""
    found = job.error
    if found is None:
        return ""
    lines = code_lines(job.recipe, found.field, found.line)
    trace = (
        f'<details class="wb-more"><summary>Traceback</summary><div class="wb-banner wb-error"><pre tabindex="0" role="region" aria-label="Traceback">'
        f"{escape(found.traceback)}</pre></div></details>"
        if found.traceback.strip()
        else ""
    )
    who = "Parameter server" if found.role == "ps" else found.role.capitalize()
    return banner(f"{who} {found.index} failed", found.message) + lines + trace


def code_lines(recipe: Recipe | None, field: str | None, line: int | None) -> str:
    """Show the user's code around a line."""
    if recipe is None or field is None or line is None or not hasattr(recipe, field):
        return ""
    source = getattr(recipe, field).split("\n")
    first = max(1, line - AROUND)
    shown = source[first - 1 : line + AROUND]
    rows = "".join(
        f"<span{' class=wb-here' if n == line else ''}><i>{n}</i>{escape(text)}</span>"
        for n, text in enumerate(shown, first)
    )
    return f'<div class="wb-code-lines" role="region" tabindex="0" aria-label="{escape(field)}, line {line}">{rows}</div>'
