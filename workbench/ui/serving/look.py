"""The back end as the serving page asks it, and one cheap look at all that the page shows."""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workbench import datasets
from workbench.backends import http
from workbench.errors import WorkbenchError
from workbench.jobs import Pulse
from workbench.models import registry
from workbench.models.registry import Version
from workbench.settings import Settings
from workbench.verbs.jobs import Control

Verdict = Literal["accept", "reject", "reopen"]
PAGE = 200
"""Corrections in one answer."""


@dataclass(frozen=True)
class BackEnd:
    """The back end that this computer uses; every error is one of ours, with what to do."""

    settings: Settings

    @property
    def url(self) -> str:
        return self.settings.backend_service

    @property
    def _where(self) -> tuple[str, str]:
        return self.url, self.settings.deploy_token

    def models(self) -> list[dict[str, Any]]:
        """What serves: ``[{"name", "version", "since", "previous", "canary", …}]``."""
        return list(http.deployed(self.url)["models"])

    def deploy(
        self, version: Version, *, who: str, reason: str, canary: float | None, anyway: bool = False
    ) -> None:
        """See ``deployment.deploy``."""
        http.deploy(version, *self._where, who=who, reason=reason, canary=canary, anyway=anyway)

    def rollback(self, name: str, *, who: str, reason: str) -> int:
        """The version that answers again."""
        return int(http.rollback(name, *self._where, who=who, reason=reason)["version"])

    def history(self, name: str) -> list[dict[str, Any]]:
        """See ``deployment.history``."""
        return http.history(name, *self._where)

    def compare(self, name: str, one: int, other: int) -> dict[str, Any]:
        """See ``deployment.compare``."""
        return http.compare(name, *self._where, versions=(one, other))

    def serve(self, image: str | Path, **more: Any) -> dict[str, Any]:
        """See ``deployment.serve``."""
        return http.serve(image, *self._where, **more)

    def link(self, version: Version) -> str:
        """A URL by which ``serve`` asks a version that need not be deployed; it is sent there first."""
        with tempfile.TemporaryDirectory() as aside:
            archive = registry.download(version, Path(aside) / "version.zip")
            http.push(version, archive, *self._where)
        return http.link(version, *self._where)

    def counts(self) -> dict[str, int]:
        """How many corrections wait, are accepted, are rejected."""
        return dict(http.corrections(*self._where, limit=1)["counts"])

    def corrections(self, state: str, most: int | None = None) -> list[dict[str, Any]]:
        """Those in a state, the oldest first, at most so many."""
        found: list[dict[str, Any]] = []
        after: int | None = 0
        while after is not None and (most is None or len(found) < most):
            limit = PAGE if most is None else min(PAGE, most - len(found))
            page = http.corrections(*self._where, state=state, after=after, limit=limit)
            found += page["corrections"]
            after = page["next"]
        return found

    def review(self, ids: Sequence[str], verdict: Verdict) -> None:
        """Accept or reject corrections, or let them wait again."""
        for i in range(0, len(ids), 500):
            http.review(list(ids[i : i + 500]), verdict, *self._where)

    def export(self) -> "datasets.Corrected":
        """See ``deployment.export_corrections``."""
        return http.export_corrections(*self._where, self.settings)


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
