"""A canvas to draw on; what the model makes of the drawing follows the pen."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import numpy as np
import traitlets

from workbench import drawing_page
from workbench.ui.widgets import theme
from workbench.ui.widgets.drawing.answer import Answer
from workbench.ui.widgets.drawing.inline_pictures import data_url

MODULES = (*drawing_page.SHEET, "doubt", "percent", "canvas/widget")
PEN = 15
"""Width of the pen at first, in 280ths of the paper's side, as on the drawing page."""
MAX_SIDE = 1_000
_NOTHING: dict[str, object] = {"probabilities": None, "seen": None, "doubt": None}


class Canvas(anywidget.AnyWidget):
    """Draw with mouse, touch, pen or keyboard; one drawing is asked about at a time, the newest wins.

    Parameters
    ----------
    look
        Ink, uint8 ``(h, w)``, 0 = paper, 255 = ink → ``Answer``, or ``None`` where nothing is drawn.
        Called in the kernel for each change, so it should take milliseconds.
    labels
        One text a class.
    """

    _esm = drawing_page.widget(MODULES)
    _css = theme.css("canvas")
    labels = traitlets.List(traitlets.Unicode()).tag(sync=True)
    pen = traitlets.Int(PEN).tag(sync=True)
    hint = traitlets.Unicode("Draw here").tag(sync=True)

    def __init__(self, look: Callable[[np.ndarray], Answer | None], labels: Sequence[str]) -> None:
        super().__init__(labels=list(labels))
        self._look = look
        self.on_msg(lambda _, message, buffers: self._asked(message, buffers))

    def _asked(self, message: Mapping[str, object], buffers: Sequence[Any]) -> None:
        if message.get("kind") == "ink":
            self.send({"kind": "answer", "id": message.get("id"), **self._answer(message, buffers)})

    def _answer(self, message: Mapping[str, object], buffers: Sequence[Any]) -> dict[str, object]:
        try:
            answer = self._look(_ink(message, buffers))
        except Exception as error:
            # Shown where the drawing is: a traceback would end in a log that nobody sees.
            return {**_NOTHING, "text": f"{type(error).__name__}: {error}"}
        if answer is None:
            return {**_NOTHING, "text": "Nothing drawn yet."}
        return {
            "probabilities": [float(f"{p:.5g}") for p in answer.probabilities],
            "seen": None if answer.seen is None else data_url(answer.seen),
            **(answer.doubt.as_json() if answer.doubt else {"doubt": None}),
            "text": "",
        }


def _ink(message: Mapping[str, object], buffers: Sequence[Any]) -> np.ndarray:
    height, width = (_side(message.get(side)) for side in ("height", "width"))
    ink = np.frombuffer(buffers[0], np.uint8) if buffers else np.empty(0, np.uint8)
    if ink.size != height * width:
        raise ValueError(f"{width} × {height} pixels need as many bytes. Received: {ink.size}")
    return ink.reshape(height, width)


def _side(pixels: object) -> int:
    if not isinstance(pixels, int) or not 0 < pixels <= MAX_SIDE:
        raise ValueError(f"a drawing is 1 to {MAX_SIDE} pixels wide and high. Received: {pixels!r}")
    return pixels
