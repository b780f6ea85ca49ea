"""Pictures and tables of results, as HTML that needs no file and no other host."""

from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING, Protocol

import numpy as np

from workbench.settings import from_environment
from workbench.ui import evaluations
from workbench.ui.cluster.hints import Hints
from workbench.ui.widgets.drawing.answer import Answer, doubted
from workbench.ui.widgets.drawing.inline_pictures import data_url, picture_grid
from workbench.ui.widgets.formats import sure
from workbench.ui.widgets.pieces import Html, banner
from workbench.verbs import services

if TYPE_CHECKING:
    from workbench.backends.values import Deployment
    from workbench.models.measured import Evaluation
    from workbench.verbs.models import Version


class Report(Protocol):
    """One of a training's reports."""

    @property
    def of(self) -> int: ...


class Trained(Protocol):
    """A trained model, as far as it is asked here: ``workbench.node.trained.Trained``."""

    @property
    def stopped(self) -> bool: ...
    @property
    def steps(self) -> int: ...
    @property
    def history(self) -> Sequence[Report]: ...


def pictures(x: np.ndarray, captions: Sequence[str]) -> Html:
    """Show a grid of pictures ``(n, h, w)`` or ``(n, h, w, 1)`` with their captions below."""
    return Html(picture_grid((x[i], escape(str(text))) for i, text in enumerate(captions)))


def report(evaluation: "Evaluation", x: np.ndarray) -> Html:
    """Show how good a model is: the share that is right with its interval, what is taken for what, the worst mistakes.

    Parameters
    ----------
    x
        The pictures that were evaluated, ``(n, h, w)`` or ``(n, h, w, 1)``.
    """
    found, wrong = evaluation, evaluation.count - int(np.trace(evaluation.confusion))
    head = evaluations.headline(found.accuracy, found.low, found.high, count=found.count, wrong=wrong)
    table = evaluations.confusion(found.confusion, found.labels)
    return Html(head + table + evaluations.mistakes(found, x))


def answer(answer: Answer | None, labels: Sequence[str]) -> Html:
    """Show what a model made of one picture: the picture that it saw, its guess, and the next one."""
    if answer is None:
        return Html('<p class="wb-muted">There is nothing on this picture.</p>')
    order = np.argsort(answer.probabilities)[::-1]
    first, second = ((escape(labels[i]), answer.probabilities[i]) for i in order[:2])
    seen = (
        ""
        if answer.seen is None
        else f'<img class="wb-seen" alt="What it saw" src="{data_url(answer.seen)}">'
    )
    doubt = f"<strong>{escape(doubted(answer.doubt))}</strong> " if answer.doubt else ""
    return Html(
        f'<div class="wb-answer-top"><span class="wb-headline">{first[0]}</span>{seen}{doubt}'
        f'<span class="wb-muted">{escape(sure(first[1]))} sure; else {second[0]} ({escape(sure(second[1]))})</span></div>'
    )


def unfinished(trained: Trained, *_: object) -> str:
    """Say of a training that was stopped how far it came; nothing of one that went to its end."""
    if not trained.stopped:
        return ""
    of = trained.history[-1].of if trained.history else None
    steps = f"{trained.steps:,} of {of:,} steps" if of else f"{trained.steps:,} steps"
    return f"The training was stopped after {steps}: it is published only if you want that."


def published(version: "Version") -> Html:
    """Say where a new version is, and what can be done with it."""
    forms = [
        path
        for path in ("model.keras", "saved_model", "model.onnx", "model.tflite")
        if (version.folder / path).exists()
    ]
    missing = [f"{form}: {reason}" for form, reason in version.manifest.missing.items()]
    text = f"As {', '.join(forms)}." + "".join(f" Not as {line}." for line in missing)
    return Html(banner(f"Published as {version}", text, kind="done"))


def deployed(now: "Deployment") -> Html:
    """Say what answers now, and where to draw at it."""
    running = services.now(from_environment())
    drawing = running and any(row.name == "drawing page" for row in running.rows)
    draw = '<a class="wb-button wb-primary" href="/workbench/draw">Draw at it</a> ' if drawing else ""
    page = f"serve_and_predict.ipynb?model={now.name}:{now.version}"
    links = f'<p class="wb-next">{draw}<a class="wb-button" href="{page}">See it among the models</a></p>'
    return Hints(banner(f"{now} answers on the drawing page now", kind="done") + links)
