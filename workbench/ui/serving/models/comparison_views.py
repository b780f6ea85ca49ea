"""Several versions side by side, as HTML: figures, classes, confusion, and what visitors drew. Pure functions."""

import contextlib
from collections.abc import Sequence
from html import escape

import numpy as np

from workbench.backends.comparison_values import Comparison
from workbench.errors import ModelRefused
from workbench.models import published_evaluation
from workbench.models.published_evaluation import PublishedClassification, PublishedEvaluation
from workbench.ui.beside import mark, table, verdict
from workbench.ui.evaluations import confusion
from workbench.ui.serving.models.views import FORMS, interval, sizes
from workbench.ui.widgets.formats import megabytes, percent
from workbench.verbs.models import Version

BAD_CLASS = 0.005
"""The share of a class by which a version must be behind the best one, to be marked."""
MOST_CASES = 12


def evaluation_of(version: Version) -> PublishedEvaluation | None:
    """Read what is kept of a version's evaluation; ``None`` where nothing can be read."""
    with contextlib.suppress(ModelRefused):
        return published_evaluation.read(version.folder)
    return None


def comparison(versions: Sequence[Version]) -> str:
    """Show figures, classes and confusion of several versions, a column each."""
    found = [evaluation_of(version) for version in versions]
    return _figures(versions, found) + _per_class(versions, found) + _confusions(versions, found)


def _figures(versions: Sequence[Version], found: Sequence[PublishedEvaluation | None]) -> str:
    metrics = [v.manifest.metrics for v in versions]
    accuracies = [m.get("accuracy") for m in metrics]
    best = max((a for a in accuracies if a is not None), default=None)
    rows: list[tuple[str, list[str]]] = [
        ("Accuracy", [mark(percent(a), a == best) if a is not None else "–" for a in accuracies]),
        ("95 % interval", [interval(m) or "–" for m in metrics]),
        ("Test pictures", [f"{e.count:,}" if e else "–" for e in found]),
        ("Loss", [f"{m['loss']:.4f}" if m.get("loss") is not None else "–" for m in metrics]),
    ]
    every = [sizes(version) for version in versions]
    for form, name in FORMS.items():
        if any(form in one for one in every):
            rows.append((f"{name}, size", [megabytes(one[form]) if form in one else "–" for one in every]))
    return (
        table("Figures", [str(v) for v in versions], rows) + f'<p class="wb-caption">{verdict(metrics)}</p>'
    )


def _per_class(versions: Sequence[Version], found: Sequence[PublishedEvaluation | None]) -> str:
    classes = [
        {one.label: one.recall for one in e.per_class} if isinstance(e, PublishedClassification) else {}
        for e in found
    ]
    labels = list(dict.fromkeys(label for one in classes for label in one))
    if not labels:
        return ""
    rows = []
    for label in labels:
        recalls = [one.get(label) for one in classes]
        best = max((r for r in recalls if r is not None), default=0.0)
        cells = []
        for recall in recalls:
            behind = recall is not None and best - recall > BAD_CLASS
            text = "–" if recall is None else percent(recall)
            cells.append(f'<span class="wb-behind">{text}</span>' if behind else text)
        rows.append((label, cells))
    return (
        '<details class="wb-more" open><summary>By class</summary><p class="wb-caption">Of each class, how many pictures are '
        "recognised. Marked: half a point or more behind the best.</p>"
        + table("By class", [str(v) for v in versions], rows)
        + "</details>"
    )


def _confusions(versions: Sequence[Version], found: Sequence[PublishedEvaluation | None]) -> str:
    parts = ""
    for version, one in zip(versions, found, strict=True):
        if isinstance(one, PublishedClassification):
            drawn = confusion(np.array(one.confusion), one.labels, title=str(version))
            parts += f"<div>{drawn}</div>"
    if not parts:
        return ""
    return f'<details class="wb-more"><summary>What was taken for what</summary><div class="wb-confusions">{parts}</div></details>'


def on_drawings(found: Comparison) -> str:
    """Show how two versions differ on visitors' drawings and corrections, as the back end found."""
    name = escape(found.name)
    text = []
    if found.drawings:
        share = percent(found.agreed / found.drawings, 1)
        text.append(f"They agreed on {found.agreed:,} of {found.drawings:,} drawings ({share}).")
    if found.corrections:
        told = ", ".join(
            f"{name}:{v} {found.recognised[v].right}" for v in found.versions if v in found.recognised
        )
        text.append(f"Of {found.corrections:,} accepted corrections they recognise: {told}.")
    if not text:
        text = ["No drawing was answered by both yet (start a canary), and no correction is accepted."]
    figures = ""
    for case in found.disagreements[:MOST_CASES]:
        answers = " · ".join(f"{v} says <b>{said.digit}</b>" for v, said in case.answers.items())
        figures += (
            f'<figure><img alt="" src="{escape(case.picture)}"><figcaption>{answers}</figcaption></figure>'
        )
    grid = f'<div class="wb-pictures wb-cases">{figures}</div>' if figures else ""
    return f'<h4 class="wb-part">On visitors\' drawings</h4><p>{" ".join(text)}</p>{grid}'
