"""Which picture is asked about: drawn, uploaded, dropped or pasted, or by its URL."""

import base64
from collections.abc import Callable, Mapping
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets
import numpy as np

from workbench.errors import BadInput
from workbench.pictures.decoders import MAX_BYTES
from workbench.ui.file_button import FileButton
from workbench.ui.serving.asking import AskingCanvas
from workbench.ui.serving.predict.given import filled, keep
from workbench.ui.widgets.drawing.inline_pictures import data_url
from workbench.ui.widgets.pieces import Html, waiting

DRAWING, UPLOAD, URL = "Draw it", "Upload it", "Give its URL"
HINTS = {
    DRAWING: waiting("Draw something, and what the model makes of it stands here."),
    UPLOAD: waiting("Choose a picture, and what the model makes of it stands here."),
    URL: waiting("Give a picture's URL and press Ask; what the model makes of it stands here."),
}
SHOWN = {b"\x89PNG": "png", b"\xff\xd8\xff": "jpeg", b"GIF8": "gif", b"RIFF": "webp"}
"""Kinds of pictures that browsers show, by how their files begin."""
MOST_SHOWN = 3_000_000
"""Bytes of an uploaded picture that is shown beside its name."""


class PictureSource:
    """The fields that give a picture.

    Parameters
    ----------
    zone
        A selector of the part of the page on which a picture may be dropped, whichever way is chosen.
    drawn
        Called with the ink after each change of the drawing.
    uploaded
        Called after a picture was uploaded.
    switched
        Called after another way was chosen.
    lost
        Called with the error where a file could not be taken.
    """

    def __init__(
        self,
        zone: str,
        *,
        drawn: Callable[[np.ndarray], None],
        uploaded: Callable[[], None],
        switched: Callable[[], None],
        lost: Callable[[BadInput], None],
    ) -> None:
        self._uploaded, self._switched_to = uploaded, switched
        self.kind = ipywidgets.ToggleButtons(options=[DRAWING, UPLOAD, URL], description="The picture")
        self.kind.add_class("wb-choice")
        self.canvas = AskingCanvas(drawn, [])
        self.file = FileButton("Choose a picture", lost, accept="image/*", most=MAX_BYTES, zone=zone)
        self.shown = Html()
        self.url = ipywidgets.Text(description="Picture URL", placeholder="https://…/seven.png")
        self.url.add_class("wb-long")
        form = ipywidgets.Box([self.url])
        form.add_class("wb-form")
        # The button is always there, hidden or not: what is dropped on the page is its to take.
        self._ways = {DRAWING: [self.canvas], UPLOAD: [self.file, self.shown], URL: [form]}
        self.widget = ipywidgets.VBox([self.kind, *(one for way in self._ways.values() for one in way)])
        self.kind.observe(lambda _: self._switched(), "value")
        self.file.observe(lambda _: self._took(), "value")
        self._arrange()

    @property
    def is_drawn(self) -> bool:
        """Tell whether it is the drawing, and there is one."""
        return bool(self.kind.value == DRAWING) and self.canvas.drawing is not None

    @property
    def hint(self) -> str:
        """What stands where the answer will."""
        return HINTS[self.kind.value]

    def give(self, aside: Path) -> str | Path:
        """The picture as ``serve`` takes it: a URL, a data URL, or a file in a folder ``aside``.

        Raises
        ------
        BadInput
            There is none yet.
        """
        if self.kind.value == URL:
            return filled(self.url.value, "give the picture's URL")
        if self.kind.value == UPLOAD:
            return keep(self.file, aside / "picture", "choose a picture first")
        if self.canvas.drawing is None:
            raise BadInput("draw something first")
        return data_url(self.canvas.drawing)

    def _took(self) -> None:
        if not self.file.value:
            return
        file = self.file.value[0]
        size = f"{file['size'] / 1e3:,.0f} kB"
        self.shown.html = f'<p class="wb-caption">{escape(file["name"])}, {size}</p>' + preview(file)
        self.kind.value = UPLOAD  # it may have been dropped where one draws
        self._uploaded()

    def _switched(self) -> None:
        """Another way to give it; what was drawn stays on the canvas."""
        self._arrange()
        self._switched_to()

    def _arrange(self) -> None:
        for way, parts in self._ways.items():
            for part in parts:
                part.layout.display = "" if way == self.kind.value else "none"


def preview(file: Mapping[str, Any]) -> str:
    """Show an uploaded picture, if it is one that browsers show."""
    content = bytes(file["content"])
    kind = next((kind for magic, kind in SHOWN.items() if content.startswith(magic)), "")
    if not kind or len(content) > MOST_SHOWN:
        return ""
    url = f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
    return f'<img class="wb-uploaded" alt="The picture that you chose" src="{url}">'
