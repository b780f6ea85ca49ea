"""One cheap look at all that the serving page shows."""

import time
from collections.abc import Callable
from dataclasses import dataclass

from workbench.backends.correction_values import Counts
from workbench.backends.values import Deployment
from workbench.errors import WorkbenchError
from workbench.jobs import Pulse
from workbench.ui.serving.choice import BackEndChoice
from workbench.verbs.workbench import Workbench

AWS_EVERY_S = 15.0
"""Between two questions to the back end on AWS that nobody asked for; the one here is asked each time."""

NONE = Counts()


@dataclass(frozen=True)
class Snapshot:
    """The state of what the page shows, as far as one cheap look tells.

    Attributes
    ----------
    turn
        Of the choice of a back end that this is about.
    models
        Those that serve; empty where the back end does not answer.
    problem
        The reason why the back end does not answer; empty while it does.
    counts
        Of corrections by their state.
    shelf
        Changes whenever a version is published.
    asking
        Whether the back end has not been asked yet.
    """

    turn: int
    models: tuple[Deployment, ...] = ()
    problem: str = ""
    counts: Counts = NONE
    shelf: tuple[tuple[str, int], ...] = ()
    jobs: Pulse | None = None
    asking: bool = False

    @property
    def busy(self) -> bool:
        return self.jobs is not None and self.jobs.active + self.jobs.waiting > 0


@dataclass(frozen=True)
class _Answer:
    """An answer of the back end, or why there is none."""

    turn: int
    t: float
    models: tuple[Deployment, ...]
    counts: Counts
    problem: str


class Looker:
    """Looks at the back end, the registry and the jobs; asks AWS less often than the page asks."""

    def __init__(
        self, workbench: Workbench, choice: BackEndChoice, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._workbench, self._choice, self._clock = workbench, choice, clock
        self._last: _Answer | None = None

    def look(self) -> Snapshot:
        """Take a look."""
        turn, is_here = self._choice.turn, self._choice.is_here
        last = self._last
        if last is None or last.turn != turn or is_here or self._clock() - last.t >= AWS_EVERY_S:
            last = self._last = self._ask(turn)
        home = self._workbench.settings.models
        shelf = [(path.name, path.stat().st_mtime_ns) for path in sorted(home.glob("*")) if path.is_dir()]
        return Snapshot(
            turn, last.models, last.problem, last.counts, tuple(shelf), self._workbench.store.pulse()
        )

    def forget(self) -> None:
        """Ask the back end again with the next look: something was changed there."""
        self._last = None

    def _ask(self, turn: int) -> _Answer:
        try:
            backend = self._choice.backend
            models, counts = backend.models(), backend.counts()
        except WorkbenchError as error:
            return _Answer(turn, self._clock(), (), NONE, str(error))
        return _Answer(turn, self._clock(), models, counts, "")
