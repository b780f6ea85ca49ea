"""The film of the first model's learning, for the drawing page while it trains: a few frames at a time."""

import base64
import threading
from pathlib import Path

from workbench import film
from workbench.artifact import FILM_FOLDER
from workbench.errors import NotFound

AT_ONCE = 4
"""Frames of an answer; the tutorial's net has 0.2 MB of them each."""


class Learning:
    """What the training of the first model leaves in the back end's folder."""

    def __init__(self, folder: Path) -> None:
        self._film = film.Growing(folder, FILM_FOLDER)
        self._lock = threading.Lock()

    def tell(self, after: int) -> dict[str, object]:
        """The frames after a step, the first of them: what they are, and which the film has now.

        Parameters
        ----------
        after
            Below 0 the form comes, too.

        Raises
        ------
        NotFound
            No first model is being trained, or none that a page could compute.
        """
        with self._lock:
            there = self._film.refresh()
            form, frames, mark = self._film.form, self._film.frames, self._film.mark
        if not there:
            raise NotFound(
                "there is no film: no first model is being trained, or none that a page can compute"
            )
        new = [frame for frame in frames if frame.step > after][:AT_ONCE]
        return {
            "film": mark,
            "kept": [frame.step for frame in frames],
            "frames": [
                {"step": frame.step, "weights": base64.b64encode(frame.numbers).decode()} for frame in new
            ],
            **({"form": form} if after < 0 else {}),
        }
