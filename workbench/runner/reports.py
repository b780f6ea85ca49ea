"""What a job's machines report, replayed into the store: the files are read on, never again from the start."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from workbench import events
from workbench.errors import RecipeError
from workbench.events import Error, Event, Metric, Phase
from workbench.machines import Layout, Place, machine_folder
from workbench.tasks import tracebacks

E = TypeVar("E", bound=Event)


@dataclass
class Reports:
    """What was heard of the machines of a job in this attempt.

    Attributes
    ----------
    since
        When the attempt was queued; what was reported before belongs to another one.
    phases, errors
        What each machine said last.
    step
        The most steps that the leading machine has told of.
    """

    folder: Path
    layout: Layout
    since: float
    phases: dict[Place, str] = field(default_factory=dict)
    errors: dict[Place, Error] = field(default_factory=dict)
    step: int = 0
    _offsets: dict[Place, int] = field(default_factory=dict)

    def read(self, replay: Callable[[Collection[Event]], object]) -> bool:
        """Hand everything new to ``replay``; whether there was something.

        After a runner died its successor reads from the beginning: replaying twice changes nothing.

        Raises
        ------
        RecipeError
            What a machine reports can be read no more: its code has made a link or FIFO of it.
        """
        heard = False
        for place in self.layout.places:
            path = machine_folder(self.folder, place) / "events.jsonl"
            while True:
                begin = self._offsets.get(place, 0)
                found, end = _read(path, begin, self.folder)
                # A machine speaks for itself only.
                own = [
                    shorten(e, self.folder) for e in found if (e.role, e.index) == (place.role, place.index)
                ]
                if own:
                    replay(own)
                    self._note(place, own)
                    heard = True
                self._offsets[place] = end
                if end == begin:
                    break
        return heard

    def forget(self, places: Collection[Place]) -> None:
        """These machines begin again: what they said of themselves holds no more."""
        for place in places:
            self.phases.pop(place, None)
            self.errors.pop(place, None)

    def _note(self, place: Place, found: Collection[Event]) -> None:
        for event in found:
            if event.t < self.since:
                continue
            if isinstance(event, Phase):
                self.phases[place] = event.phase
            elif isinstance(event, Error):
                self.errors[place] = event
            elif isinstance(event, Metric) and place == self.layout.leader:
                self.step = max(self.step, event.step)


def _read(path: Path, begin: int, folder: Path) -> tuple[list[Event], int]:
    try:
        return events.read(path, begin, below=folder)
    except OSError as error:
        raise RecipeError(
            f"the recipe's code has put something else in the place of {path.parent.name}/{path.name}: {error}"
        ) from error


def shorten(event: E, folder: Path) -> E:
    """The event, which, if it is an error, calls the recipe's files as the user knows them."""
    if not isinstance(event, Error):
        return event
    message, traceback = (tracebacks.shorten(text, folder) for text in (event.message, event.traceback))
    return replace(event, message=message, traceback=traceback)
