"""Pictures and tables of results, as HTML that needs no file and no other host."""

import base64
import struct
import zlib
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING

import numpy as np

from workbench.ui.widgets.pieces import Html, banner, percent

if TYPE_CHECKING:
    from workbench.models.evaluation import Evaluation
    from workbench.models.registry import Version
    from workbench.ui.widgets.canvas import Answer


def data_url(picture: np.ndarray) -> str:
    """The picture, ``(h, w)`` with 0 = paper and 255 = ink, as a PNG of black ink on nothing: the page is the paper."""
    ink = np.asarray(picture).astype(np.uint8)
    height, width = ink.shape
    rows = np.zeros(
        (height, 1 + 2 * width), np.uint8
    )  # each begins with 0, "not filtered", then grey, alpha, …
    rows[:, 2::2] = ink
    header = struct.pack(">IIBBBBB", width, height, 8, 4, 0, 0, 0)  # 8 bits, grey and alpha
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes())), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
    return "data:image/png;base64," + base64.b64encode(png).decode()


def pictures(x: np.ndarray, captions: Sequence[str]) -> Html:
    """A grid of pictures ``(n, h, w)`` or ``(n, h, w, 1)`` with their captions below."""
    return Html(_grid((x[i], escape(str(text))) for i, text in enumerate(captions)))


def _grid(items: Iterable[tuple[np.ndarray, str]]) -> str:
    figures = "".join(
        f'<figure><img alt="" src="{data_url(np.squeeze(picture))}"><figcaption>{caption}</figcaption></figure>'
        for picture, caption in items
    )
    return f'<div class="wb-pictures">{figures}</div>'


def report(evaluation: "Evaluation", x: np.ndarray) -> Html:
    """How good a model is: the share that is right with its interval, what is taken for what, the worst mistakes.

    Parameters
    ----------
    x
        The pictures that were evaluated, ``(n, h, w)`` or ``(n, h, w, 1)``.
    """
    return Html(headline(evaluation) + confusion(evaluation) + mistakes(evaluation, x))


def headline(evaluation: "Evaluation") -> str:
    """The accuracy, and how far it can be trusted."""
    wrong = evaluation.count - int(np.trace(evaluation.confusion))
    return (
        f'<p class="wb-headline">{percent(evaluation.accuracy)} right</p>'
        f'<p class="wb-caption">{evaluation.count:,} pictures that it had never seen, {wrong:,} of them wrong. '
        f"With other pictures of the same kind: {percent(evaluation.low)} to {percent(evaluation.high)} "
        "(95 % interval).</p>"
    )


def confusion(evaluation: "Evaluation") -> str:
    """A table: a row for what it was, a column for what the model said."""
    table, labels = evaluation.confusion, [escape(label) for label in evaluation.labels]
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
        "<h4>What was taken for what</h4>"
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
    """The mistakes that the model was surest of."""
    if not evaluation.worst:
        return "<h4>No mistakes</h4><p>The model got every picture right.</p>"
    labels = [escape(label) for label in evaluation.labels]
    items = (
        (
            x[m.index],
            f'<b>{labels[m.true]}</b>, said <span class="wb-wrong">{labels[m.predicted]}</span>'
            f"<br>{percent(m.probability, 0)} sure",
        )
        for m in evaluation.worst
    )
    how_many = (
        "The worst mistake" if len(evaluation.worst) == 1 else f"The {len(evaluation.worst)} worst mistakes"
    )
    return f"<h4>{how_many}</h4>" + _grid(items)


def answer(answer: "Answer | None", labels: Sequence[str]) -> Html:
    """What a model made of one picture: the picture that it saw, its guess, and the next one."""
    if answer is None:
        return Html('<p class="wb-muted">There is nothing on this picture.</p>')
    order = np.argsort(answer.probabilities)[::-1]
    first, second = ((escape(labels[i]), answer.probabilities[i]) for i in order[:2])
    seen = (
        ""
        if answer.seen is None
        else f'<img class="wb-seen" alt="What it saw" src="{data_url(answer.seen)}">'
    )
    return Html(
        f'<div class="wb-answer-top"><span class="wb-headline">{first[0]}</span>{seen}'
        f'<span class="wb-muted">{percent(first[1], 1)} sure; else {second[0]} ({percent(second[1], 1)})</span></div>'
    )


def published(version: "Version") -> Html:
    """Where a new version is, and what can be done with it."""
    forms = [
        path
        for path in ("model.keras", "saved_model", "model.onnx", "model.tflite")
        if (version.folder / path).exists()
    ]
    missing = [f"{form}: {reason}" for form, reason in version.manifest.get("missing", {}).items()]
    text = f"As {', '.join(forms)}." + "".join(f" Not as {line}." for line in missing)
    deploy = f"uv run workbench deploy {version}"
    return Html(
        banner(
            f"Published as {version}", f"{text} To let the drawing page use it:", detail=deploy, kind="done"
        )
    )
