"""What several jobs asked for and what came of them, a column each, as HTML. Pure functions."""

from collections.abc import Callable, Sequence
from html import escape

from workbench.jobs import Job
from workbench.ui.beside import mark, table, verdict
from workbench.ui.widgets.formats import duration, layout, money, percent
from workbench.ui.widgets.pieces import badge
from workbench.verbs.models import Version


def figures(jobs: Sequence[Job], versions: Sequence[Version | None]) -> str:
    """Show settings, accuracy with its interval, duration and cost; rows in which all are alike are quiet."""
    done = [job.state == "completed" for job in jobs]
    metrics = [{} if version is None else version.manifest.metrics for version in versions]
    asked: list[tuple[str, list[str]]] = [
        ("State", [badge(job.state) for job in jobs]),
        ("Requester", [escape(job.requester) for job in jobs]),
        ("Layout", [layout(job.ps, job.workers) for job in jobs]),
        ("Machines", [_machines(job) for job in jobs]),
        ("Epochs", ["as the code says" if job.epochs is None else str(job.epochs) for job in jobs]),
        ("Data sets", [_datasets(job) for job in jobs]),
    ]
    found: list[tuple[str, list[str]]] = [
        ("Test accuracy", _best([job.accuracy for job in jobs], percent, max, done)),
        (
            "95 % interval",
            [
                f"{percent(m['low'])} to {percent(m['high'])}" if m.get("low") is not None else "–"
                for m in metrics
            ],
        ),
        ("Steps", [f"{job.step or 0:,} of {job.of:,}" if job.of else "–" for job in jobs]),
        ("Execution time", _best([job.execution_s or None for job in jobs], duration, min, done)),
        ("Cost", _best([job.cost for job in jobs], money, min, done)),
        ("Version", [_version(job, version) for job, version in zip(jobs, versions, strict=True)]),
    ]
    heads = [f"{job.id} {job.name}" for job in jobs]
    rows = [(term, cells) for term, cells in (*asked, *found) if any(cell != "–" for cell in cells)]
    said = (
        f'<p class="wb-caption">{verdict(metrics)}</p>'
        if sum(j.accuracy is not None for j in jobs) > 1
        else ""
    )
    return table("Jobs beside each other", heads, rows) + said


def _best(
    values: Sequence[float | None],
    show: Callable[[float], str],
    best: Callable[[list[float]], float],
    done: Sequence[bool],
) -> list[str]:
    """The values as text, the best one marked where those of jobs that are done differ: what was ended early was not fast."""
    known = [value for value, is_done in zip(values, done, strict=True) if value is not None and is_done]
    top = best(known) if len(set(known)) > 1 else None
    return [
        "–" if value is None else mark(show(value), is_done and value == top)
        for value, is_done in zip(values, done, strict=True)
    ]


def _machines(job: Job) -> str:
    place = "this computer" if job.provider == "local" else escape(job.provider)
    kind = f", {escape(job.instance_type)}" if job.instance_type else ""
    standing = f", on {escape(job.cluster)}" if job.cluster else ""
    return f"{place}{kind}{standing}"


def _datasets(job: Job) -> str:
    return ", ".join(f"{escape(name)}:{pin.version}" for name, pin in sorted(job.datasets.items())) or "–"


def _version(job: Job, version: Version | None) -> str:
    if version is None:
        return "–" if job.version is None else f"{escape(job.name)}:{job.version} (removed)"
    return f'<a href="serve_and_predict.ipynb?model={escape(str(version))}">{escape(str(version))}</a>'
