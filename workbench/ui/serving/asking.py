"""A canvas whose drawings are looked at in a thread, so that the kernel stays free; and an answer as HTML."""

from collections.abc import Callable, Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from workbench.backends.values import Classified
from workbench.ui.widgets.drawing.answer import Answer
from workbench.ui.widgets.drawing.canvas import Canvas
from workbench.ui.widgets.formats import sure as written
from workbench.ui.widgets.poll import in_thread
from workbench.verbs import models

SHOWN = 10
"""Classes in an answer, the likeliest of them where there are more."""


class AskingCanvas(Canvas):
    """Keeps the newest drawing, which can be looked at again when what answers has changed."""

    def __init__(self, look: Callable[[np.ndarray], Answer | None], labels: Sequence[str]) -> None:
        self.drawing: np.ndarray | None = None
        super().__init__(self._keep, labels)
        self._looks = look

    def _asked(self, message: Mapping[str, object], buffers: Sequence[Any]) -> None:
        in_thread(super()._asked, message, [bytes(buffer) for buffer in buffers])

    def _keep(self, ink: np.ndarray) -> Answer | None:
        self.drawing = ink.copy() if ink.any() else None
        return self._looks(ink)

    def again(self) -> None:
        """Look at the drawing that is there once more, and show the answer; nothing where none is."""
        ink = self.drawing
        if ink is not None:
            message = {"height": ink.shape[0], "width": ink.shape[1]}
            self.send({"kind": "answer", "id": 0, **self._answer(message, [ink.tobytes()])})


def bars(probabilities: Sequence[float], labels: Sequence[str]) -> str:
    """Draw a bar a class, the likeliest marked."""
    order = sorted(range(len(probabilities)), key=lambda k: -probabilities[k])
    shown = sorted(order[:SHOWN]) if len(order) <= SHOWN else order[:SHOWN]
    rows = "".join(
        f"<li{' class=wb-top' if k == order[0] else ''}><b>{escape(label_of(k, labels))}</b>"
        f'<span class="wb-probability" style="--part: {probabilities[k]:.4f}"></span>'
        f'<span class="wb-probability-number">{escape(written(probabilities[k]))}</span></li>'
        for k in shown
    )
    return f'<ol class="wb-bars" aria-label="Probabilities">{rows}</ol>'


def label_of(k: int, labels: Sequence[str]) -> str:
    return str(labels[k]) if k < len(labels) else str(k)


def show_answer(said: Classified, labels: Sequence[str], took_s: float, *, ink: bool = False) -> str:
    """Show what ``/serve`` answered: the label, how sure, what the model saw, and how long that took.

    What it saw as ``ink`` is shown as one drew it, dark on light.
    """
    name = f"a model of your own ({said.model[7:19]})" if said.model.startswith("sha256:") else said.model
    foot = f'<p class="wb-caption">{escape(name)}, answered in {took_s * 1e3:.0f} ms</p>'
    if said.scores is None:
        return f'<p class="wb-muted">{escape(said.reason or "nothing drawn").capitalize()}.</p>{foot}'
    seen = said.seen or ""
    picture = (
        f'<img class="wb-seen{" wb-on-black" if ink else ""}" alt="What the model saw" title="What the model saw" src="{escape(seen)}">'
        if seen.startswith("data:image/")
        else ""
    )
    top = f'<span class="wb-headline">{escape(str(said.label))}</span>{picture}'
    if said.kind == "values" and said.label is None:
        values = ", ".join("–" if value is None else f"{value:.6g}" for value in said.scores[:SHOWN])
        top = f'<span class="wb-headline">{escape(values)}</span>{picture}'
        return f'<div class="wb-answer-top" role="status">{top}</div><p>The model gives quantities, not classes.</p>{foot}'
    if not said.scores or said.index is None:
        return f'<div class="wb-answer-top" role="status">{top}</div><p>The model names its class, without scores.</p>{foot}'
    if None in said.scores:
        return (
            f'<div class="wb-answer-top">{top}</div><p>The model gave values that are no numbers.</p>{foot}'
        )
    sure = models.sure(said.scores, said.kind)
    most = escape(written(sure[said.index] if said.index < len(sure) else max(sure)))
    words = f'<span class="wb-muted">{most} sure</span>'
    shown = bars(sure, said.labels or labels)
    return f'<div class="wb-answer-top" role="status">{top}{words}</div>{shown}{foot}'
