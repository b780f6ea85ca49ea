"""The film of learning: one's own drawing as the network reads it after 0, 1, 2, 5, … steps, live while it trains."""

from collections.abc import Mapping
from typing import Any

import anywidget

from workbench import drawing_page
from workbench import film as films
from workbench.film import FilmSoFar, Frame
from workbench.ui.widgets import theme
from workbench.verbs.models import Version

MODULES = (
    *drawing_page.SHEET,
    *("percent", "home/fit"),
    *drawing_page.INSIDE,
    *("film/frames", "film/shown", "film/widget"),
)


class Film(anywidget.AnyWidget):
    """A drawing, ten bars and the first layers' maps under a slider from random to trained; what is inside, to unfold.

    The page computes them itself, of the numbers that it is sent once: a training that goes on is not asked. Where there is
    no film it says why.
    """

    _esm = drawing_page.widget(MODULES)
    _css = theme.css("film") + drawing_page.style("inside/panel")

    def __init__(self) -> None:
        super().__init__()
        self._film: FilmSoFar | None = None
        self._form: Mapping[str, object] = {}
        self._sent: list[int] = []
        self.on_msg(lambda _, message, buffers: self._ready(message))

    def show(self, film: FilmSoFar) -> None:
        """Show the film as far as it is."""
        if film is not self._film or film.form is not self._form:
            self._film, self._form, self._sent = film, film.form, []
            self.send({"kind": "form", "form": dict(film.form)})
        frames = list(film.frames)
        kept = [frame.step for frame in frames]
        for frame in frames:
            if frame.step not in self._sent:
                self._tell(frame, kept)
        self._sent = kept

    def clear(self) -> None:
        """Show none."""
        self._film, self._sent = None, []
        self.send({"kind": "clear"})

    def _ready(self, message: Mapping[str, Any]) -> None:
        """Give a page that has just opened all that there is."""
        film = self._film
        if message.get("kind") == "ready" and film is not None:
            self.send({"kind": "form", "form": dict(film.form)})
            for frame in (frames := list(film.frames)):
                self._tell(frame, [one.step for one in frames])

    def _tell(self, frame: Frame, kept: list[int]) -> None:
        """Send a frame, and which frames the film has now: the newest takes the place of one that passed."""
        self.send({"kind": "frame", "step": frame.step, "kept": kept}, buffers=[frame.numbers])


def read(version: Version) -> films.Film | None:
    """The film of a version, or why it has none; ``None`` of a version that takes no pictures."""
    given = version.manifest.input
    kept = films.read(version.folder)
    if kept is None and given is not None and given.kind == "image":
        return films.absent("none was kept while it learned; a training here, from its beginning, keeps one")
    return kept
