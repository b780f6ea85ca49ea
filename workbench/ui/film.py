"""The film of learning: one's own drawing as the network reads it after 0, 1, 2, 5, … steps, live while it trains."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import anywidget

from workbench.models import at_home
from workbench.ui.widgets import theme

MODULES = ("drawing", "paper", "picture", "home/fit", "home/network", "home/film")


class Frame(Protocol):
    """The network after ``step`` steps, its numbers as float16."""

    @property
    def step(self) -> int: ...
    @property
    def numbers(self) -> bytes: ...


class FilmOfLearning(Protocol):
    """What a training gives of itself: ``workbench.node.companions.film.Film``."""

    @property
    def form(self) -> Mapping[str, object]: ...
    @property
    def frames(self) -> Sequence[Frame]: ...


class Film(anywidget.AnyWidget):
    """A drawing, ten bars and the first layers' maps under a slider from random to trained.

    The page computes them itself, of the numbers that it is sent once: a training that goes on is not asked.
    """

    _esm = at_home.bundle(MODULES) + "\nexport default { render: modules.film.render };\n"
    _css = theme.css("film")

    def __init__(self) -> None:
        super().__init__()
        self._film: FilmOfLearning | None = None
        self._sent: list[int] = []
        self.on_msg(lambda _, message, buffers: self._ready(message))

    def show(self, film: FilmOfLearning) -> None:
        """Show the film as far as it is."""
        if film is not self._film:
            self._film, self._sent = film, []
            self.send({"kind": "form", "form": dict(film.form)})
        for frame in film.frames:
            if frame.step not in self._sent:
                self._sent.append(frame.step)
                self._tell(frame)

    def clear(self) -> None:
        """Show none."""
        self._film, self._sent = None, []
        self.send({"kind": "clear"})

    def _ready(self, message: Mapping[str, Any]) -> None:
        """Give a page that has just opened all that there is."""
        film = self._film
        if message.get("kind") == "ready" and film is not None:
            self.send({"kind": "form", "form": dict(film.form)})
            for frame in film.frames:
                self._tell(frame)

    def _tell(self, frame: Frame) -> None:
        self.send({"kind": "frame", "step": frame.step}, buffers=[frame.numbers])
