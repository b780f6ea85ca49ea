"""A grid of corrections that a keyboard can review."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from workbench.backends.correction_values import Correction
from workbench.ui.serving.corrections import givers
from workbench.ui.widgets import theme
from workbench.ui.widgets.formats import sure, unix_seconds
from workbench.ui.widgets.poll import in_thread


class ReviewGrid(anywidget.AnyWidget):
    """A grid of drawings: arrows move, A accepts, R rejects, U undoes. What is absurd is asked for twice.

    Parameters
    ----------
    review
        Called in a thread with ids and a verdict.
    undo
        Called in a thread to take the last verdict back.
    """

    _esm = theme.esm("words") + theme.esm("review")
    _css = theme.css("review")
    items: "traitlets.List[dict[str, Any]]" = traitlets.List(traitlets.Dict()).tag(sync=True)
    state = traitlets.Unicode("waiting").tag(sync=True)
    busy = traitlets.Bool(False).tag(sync=True)

    def __init__(self, review: Callable[[list[str], str], None], undo: Callable[[], None]) -> None:
        super().__init__()
        self._review, self._undo = review, undo
        self.on_msg(lambda _, message, __: self._told(message))

    def _told(self, message: Mapping[str, Any]) -> None:
        if message.get("kind") == "review":
            ids = [str(id) for id in message.get("ids", ())]
            in_thread(self._review, ids, str(message.get("verdict")))
        elif message.get("kind") == "undo":
            in_thread(self._undo)


def item(correction: Correction, alike: Sequence[Mapping[str, str]] = ()) -> dict[str, Any]:
    """Describe a correction as the grid shows it.

    Parameters
    ----------
    alike
        The training pictures most like it: ``picture`` and ``label``.
    """
    model = f"{correction.model}:{correction.version}" if correction.model else ""
    return {
        "id": correction.id,
        "picture": correction.picture,
        "predicted": "nothing" if correction.predicted is None else str(correction.predicted),
        "digit": str(correction.digit),
        "model": model,
        "writer": givers.name(correction),
        "sure": "" if correction.sure is None else sure(correction.sure),
        "absurd": correction.absurd,
        "alike": [dict(one) for one in alike],
        "t": unix_seconds(correction.t),
    }
