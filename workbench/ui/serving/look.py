"""The back end as the serving page asks it, and one cheap look at all that the page shows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from workbench import datasets
from workbench.backends.values import State, Verdict
from workbench.errors import WorkbenchError
from workbench.jobs import Pulse
from workbench.models.registry import Version
from workbench.settings import Settings
from workbench.verbs import backends
from workbench.verbs.jobs import Control


@dataclass(frozen=True)
class BackEnd:
    """The back end that this computer uses; every error is one of ours, with what to do."""

    settings: Settings

    @property
    def url(self) -> str:
        return self.settings.backend_service

    @property
    def _backend(self) -> backends.BackEnd:
        return backends.open_backend(None, self.settings)

    def models(self) -> list[dict[str, Any]]:
        """What serves: ``[{"name", "version", "since", "previous", "canary", …}]``."""
        return [model.as_json() for model in self._backend.models()]

    def deploy(
        self, version: Version, *, who: str, reason: str, canary: float | None, anyway: bool = False
    ) -> None:
        """See ``BackEnd.deploy``."""
        self._backend.deploy(version, who=who, reason=reason, canary=canary, anyway=anyway)

    def rollback(self, name: str, *, who: str, reason: str) -> int:
        """The version that answers again."""
        return self._backend.rollback(name, who=who, reason=reason).version

    def history(self, name: str) -> list[dict[str, Any]]:
        """See ``BackEnd.history``."""
        return [change.as_json() for change in self._backend.history(name)]

    def compare(self, name: str, one: int, other: int) -> dict[str, Any]:
        """See ``BackEnd.compare``."""
        return self._backend.compare(name, (one, other)).as_json()

    def serve(self, image: str | Path, **more: Any) -> dict[str, Any]:
        """See ``BackEnd.serve``."""
        return self._backend.serve(image, **more).as_json()

    def link(self, version: Version) -> str:
        """A URL by which ``serve`` asks a version that need not be deployed; it is sent there first."""
        return self._backend.link(version)

    def counts(self) -> dict[str, int]:
        """How many corrections wait, are accepted, are rejected."""
        counts = self._backend.counts()
        return {"waiting": counts.waiting, "accepted": counts.accepted, "rejected": counts.rejected}

    def corrections(self, state: str, most: int | None = None) -> list[dict[str, Any]]:
        """Those in a state, the oldest first, at most so many."""
        page = self._backend.corrections(cast(State, state), most=most, pictures=True)
        return [correction.as_json() for correction in page.corrections]

    def review(self, ids: Sequence[str], verdict: Verdict) -> None:
        """Accept or reject corrections, or let them wait again."""
        self._backend.review(ids, verdict)

    def export(self) -> "datasets.Corrected":
        """See ``verbs.backends.export``."""
        return backends.export(self.settings)


@dataclass(frozen=True)
class Look:
    """What the page shows, as far as one cheap look tells.

    Attributes
    ----------
    models
        What serves; empty where the back end does not answer.
    problem
        Why the back end does not answer; empty while it does.
    counts
        Of corrections by their state.
    shelf
        Changes whenever a version is published.
    """

    models: tuple[Any, ...]
    problem: str
    counts: tuple[tuple[str, int], ...]
    shelf: tuple[tuple[str, int], ...]
    jobs: Pulse

    @property
    def busy(self) -> bool:
        return self.jobs.active + self.jobs.waiting > 0


def make_look(workbench: Control, backend: BackEnd) -> Callable[[], Look]:
    """A function that looks."""

    def look() -> Look:
        models: list[dict[str, Any]] = []
        counts: dict[str, int] = {}
        problem = ""
        try:
            models = backend.models()
            counts = backend.counts()
        except WorkbenchError as error:
            problem = str(error)
        home = workbench.settings.models
        shelf = [(path.name, path.stat().st_mtime_ns) for path in sorted(home.glob("*")) if path.is_dir()]
        return Look(
            tuple(models), problem, tuple(sorted(counts.items())), tuple(shelf), workbench.store.pulse()
        )

    return look
