"""Evaluations on the test part as HTML: for the tutorial, a job and a version. Pure functions."""

import base64
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from workbench.errors import ModelRefused
from workbench.models import published_evaluation
from workbench.models.charts import SHEET_COLUMNS
from workbench.models.published_evaluation import Mistake, PublishedClassification, PublishedRegression
from workbench.ui.widgets.drawing.inline_pictures import picture_grid
from workbench.ui.widgets.formats import percent, sure
from workbench.verbs.models import Version

if TYPE_CHECKING:
    from workbench.models.measured import Evaluation


def headline(
    accuracy: float, low: float, high: float, *, count: int, wrong: int, what: str = "pictures"
) -> str:
    """Show the accuracy, and how far it can be trusted; ``what`` names the examples."""
    return (
        f'<p class="wb-headline">{percent(accuracy)} right</p>'
        f'<p class="wb-caption">{count:,} {what} that it had never seen, {wrong:,} of them wrong. '
        f"With other {what} of the same kind: {percent(low)} to {percent(high)} "
        "(95 % interval).</p>"
    )


def confusion(table: np.ndarray, labels: Sequence[str], title: str = "What was taken for what") -> str:
    """Show a table: a row for what it was, a column for what the model said."""
    labels = [escape(label) for label in labels]
    mistaken = table - np.diag(np.diag(table))
    head = "".join(f'<th scope="col">{label}</th>' for label in labels)
    rows = "".join(
        f'<tr><th scope="row">{labels[i]}</th>'
        + "".join(
            _cell(int(n), right=i == j, most=int((table if i == j else mistaken).max()))
            for j, n in enumerate(row)
        )
        + "</tr>"
        for i, row in enumerate(table)
    )
    return (
        f"<h4>{escape(title)}</h4>"
        '<div class="wb-scroll" tabindex="0" role="region" aria-label="Confusion matrix">'
        '<table class="wb-heat"><caption>Rows: what it was. Columns: what the model said.</caption>'
        f'<thead><tr><td aria-hidden="true"></td>{head}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cell(count: int, *, right: bool, most: int) -> str:
    """Colour by the root, so that one mistake among ten thousand can still be seen."""
    if count == 0:
        return '<td class="wb-zero">0</td>'
    heat = round((22 if right else 55) * (count / max(most, 1)) ** 0.5)
    return f'<td class="{"wb-right" if right else "wb-wrong"}" style="--heat: {heat}%">{count:,}</td>'


def mistakes(evaluation: "Evaluation", x: np.ndarray) -> str:
    """Show the mistakes that the model was surest of."""
    if not evaluation.worst:
        return "<h4>No mistakes</h4><p>The model got every picture right.</p>"
    labels = [escape(label) for label in evaluation.labels]
    items = (
        (
            x[m.index],
            f'<b>{labels[m.true]}</b>, said <span class="wb-wrong">{labels[m.predicted]}</span>'
            f"<br>{escape(sure(m.probability))} sure",
        )
        for m in evaluation.worst
    )
    how_many = (
        "The worst mistake" if len(evaluation.worst) == 1 else f"The {len(evaluation.worst)} worst mistakes"
    )
    return f"<h4>{how_many}</h4>" + picture_grid(items)


# From what is kept with a version


def published(version: Version) -> str:
    """Show how good a published version is on the test part, from what is kept with it; of several outputs each."""
    kept = {folder.name: folder for folder in (version.folder / published_evaluation.OUTPUTS).glob("*")}
    others = [one.name for one in version.manifest.outputs if one.name in kept]
    judged_by = version.manifest.output.name if others and version.manifest.output else ""
    shown = [_output(version, version.folder, judged_by)]
    return "".join([*shown, *(_output(version, kept[name], name) for name in others)])


def _output(version: Version, folder: Path, name: str) -> str:
    """Show how good one output is, whose evaluation lies in the folder, under its name where it has one."""
    head = f"<h4>{escape(name)}</h4>" if name else ""
    try:
        found = published_evaluation.read(folder)
    except ModelRefused as error:
        return f'{head}<p class="wb-caption">The evaluation of {version} cannot be read: {escape(str(error))}</p>'
    if found is None:
        return ""
    if isinstance(found, PublishedRegression):
        return head + _regression(found)
    return head + _classification(found, version, folder)


def _classification(found: PublishedClassification, version: Version, folder: Path) -> str:
    given = version.manifest.input
    what = "pictures" if given is not None and given.kind == "image" else "examples"
    head = headline(found.accuracy, *found.interval, count=found.count, wrong=found.wrong, what=what)
    table = confusion(np.array(found.confusion), found.labels)
    ink = version.manifest.preprocessing == "mnist"
    return head + table + _mistakes(found.worst, found.labels, folder / "worst.png", ink=ink)


def _mistakes(worst: Sequence[Mistake], labels: Sequence[str], sheet: Path, *, ink: bool) -> str:
    """Show the worst mistakes, each a piece of the one picture that is kept; what is ``ink`` is dark on light."""
    if not worst or not sheet.exists():
        return ""
    content = sheet.read_bytes()
    width = int.from_bytes(content[16:20], "big") // SHEET_COLUMNS
    height = int.from_bytes(content[20:24], "big") // -(-len(worst) // SHEET_COLUMNS)
    items = "".join(
        f'<figure><div role="img" aria-label="{escape(labels[m.true])}" style="background-position: '
        f'{-(n % SHEET_COLUMNS) * width}px {-(n // SHEET_COLUMNS) * height}px"></div><figcaption>'
        f'<b>{escape(labels[m.true])}</b>, said <span class="wb-wrong">{escape(labels[m.predicted])}</span>'
        f"<br>{escape(sure(m.probability))} sure</figcaption></figure>"
        for n, m in enumerate(worst)
    )
    kind = " wb-ink" if ink else ""
    url = f"data:image/png;base64,{base64.b64encode(content).decode()}"
    return (
        f"<h4>The worst mistakes</h4>"
        f'<div class="wb-pictures wb-sheet{kind}" style="--sheet: url({url}); --wide: {width}px; --high: {height}px">{items}</div>'
    )


def _regression(found: PublishedRegression) -> str:
    parts = [f"{found.count:,} examples that it had never seen; mean error {found.mean_error:.4g}"]
    if found.explained is not None:
        parts.append(f"explains {percent(found.explained, 1)} of what varies")
    return f'<p class="wb-headline">{found.root_mean_square_error:.4g}</p><p class="wb-caption">root mean square error. {"; ".join(parts)}.</p>'
