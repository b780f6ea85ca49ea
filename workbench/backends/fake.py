"""A back end in memory, for tests and for trying pages out: it keeps what ``BackEnd`` promises and computes nothing."""

import hashlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from workbench import artifact
from workbench.backends.comparison_values import Comparison
from workbench.backends.correction_values import Correction, CorrectionPage, Counts, State, Verdict
from workbench.backends.how import SAYS_NOTHING, How
from workbench.backends.values import (
    Canary,
    Change,
    Classified,
    Deployment,
    Prediction,
    Source,
    opened,
)
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError
from workbench.manifest import write_listing
from workbench.models.registry import Version

STATES: dict[Verdict, State] = {"accept": "accepted", "reject": "rejected", "reopen": "waiting"}
PICTURE = "data:image/png;base64,iVBORw0KGgo="


@dataclass
class _Model:
    """A model: its versions, and which of them serves."""

    versions: dict[int, Version] = field(default_factory=dict)
    active: Deployment | None = None
    history: list[Change] = field(default_factory=list)


class FakeBackEnd:
    """See ``BackEnd``. Each version says its number's last digit to everything.

    Attributes
    ----------
    away
        Why it does not answer; empty while it does.
    """

    def __init__(self) -> None:
        self.away = ""
        self._models: dict[str, _Model] = {}
        self._corrections: list[Correction] = []

    @property
    def url(self) -> str:
        """Not to be asked by anybody else."""
        return "fake:"

    # ── versions ─────────────────────────────────────────────────────────────────────────────────

    def models(self) -> tuple[Deployment, ...]:
        """See ``BackEnd``; so with all below."""
        self._answer()
        return tuple(model.active for model in self._models.values() if model.active)

    def deploy(
        self,
        version: Version,
        *,
        who: str = "",
        reason: str = "",
        canary: float | None = None,
        anyway: bool = False,
    ) -> Deployment:
        self._push(version)
        model = self._models[version.name]
        if canary is None:
            if not anyway:
                _refuse_worse(version, model)
            now = self._switch(model, version, "activate", who, reason)
            self._models[version.name] = self._models.pop(version.name)  # the newest is last
            return now
        if not 0 <= canary <= 100:
            raise BadInput(f'"percent" is a number from 0 to 100. Received: {canary}')
        if model.active is None:
            raise NotFound(f"no version of {version.name} serves yet; activate one first")
        if model.active.version == version.version and canary:
            raise WorkbenchError(f"{version} is active and answers all drawings already")
        beside = Canary(version.version, float(canary), _now()) if canary else None
        model.active = replace(model.active, canary=beside)
        model.history.append(Change(_now(), "canary", version.version, who, reason, float(canary)))
        return model.active

    def rollback(self, name: str, *, who: str = "", reason: str = "") -> Deployment:
        self._answer()
        model = self._models.get(artifact.check_name(name))
        if model is None or model.active is None:
            raise NotFound(f"no model {name!r} serves here, so there is nothing to roll back")
        if model.active.previous is None:
            raise WorkbenchError(f"{model.active} is the first version that served here")
        return self._switch(model, model.versions[model.active.previous], "rollback", who, reason)

    def history(self, name: str) -> tuple[Change, ...]:
        self._answer()
        model = self._models.get(artifact.check_name(name))
        if model is None or model.active is None:
            raise NotFound(f"no model {name!r} serves here")
        return tuple(model.history)

    def compare(self, name: str, versions: tuple[int, int] | None = None) -> Comparison:
        self._answer()
        model = self._models.get(artifact.check_name(name))
        if model is None or model.active is None:
            raise NotFound(f"no model {name!r} serves here")
        if versions is None:
            now = model.active
            second = now.canary.version if now.canary else now.previous
            if second is None:
                raise WorkbenchError(f"{name} has no second version to compare with")
            versions = now.version, second
        if missing := [v for v in versions if v not in model.versions]:
            raise NotFound(f"{name}:{missing[0]} was not pushed to this back end")
        metrics = {v: _metrics(model.versions[v]) for v in versions}
        return Comparison(name, versions, metrics, 0, 0, (), 0, {})

    def link(self, version: Version, *, expires_s: int = 3600) -> str:
        self._push(version)
        return f"fake:/models/{version.name}/versions/{version.version}.zip"

    def _push(self, version: Version) -> None:
        self._answer()
        artifact.verify(version.folder)
        self._models.setdefault(version.name, _Model()).versions.setdefault(version.version, version)

    def _switch(self, model: _Model, version: Version, action: str, who: str, reason: str) -> Deployment:
        before, manifest = model.active, version.manifest
        if before is not None and before.version == version.version:
            since, previous = before.since, before.previous
        else:
            since, previous = _now(), before.version if before else None
        unchanged = before is not None and before.version == version.version and before.canary is None
        model.active = Deployment(
            version.name,
            version.version,
            since,
            previous,
            None,
            manifest.labels,
            manifest.preprocessing,
            _metrics(version),
        )
        if not (unchanged and action == "activate"):
            model.history.append(Change(_now(), action, version.version, who, reason))
        return model.active

    # ── pictures ─────────────────────────────────────────────────────────────────────────────────

    def predict(self, picture: bytes) -> Prediction:
        self._answer()
        serving = self.models()
        if not picture:
            raise BadInput("the body is empty; send a picture or the canvas' data URL")
        if not serving:
            raise Unavailable("no model is deployed yet")
        now = serving[-1]
        digit, sure = now.version % 10, [0.0] * 10
        sure[digit] = 1.0
        return Prediction(digit, now.labels[digit], tuple(sure), now.name, now.version, PICTURE, 0.1)

    def serve(
        self,
        image: Source | None,
        *,
        model: Source | None = None,
        model_name: str | None = None,
        how: How = SAYS_NOTHING,
    ) -> Classified:
        self._answer()
        if isinstance(image, Path):
            opened(image).close()
        if how.output not in ("", "output"):
            raise BadInput(f"the model has no output {how.output!r}; it has: output")
        asked = model_name
        if isinstance(model, str) and model.startswith("fake:/models/"):
            asked = model.removeprefix("fake:/models/").removesuffix(".zip").replace("/versions/", ":")
        name, _, number = (asked or "").partition(":")
        found = self._models.get(name)
        version = int(number) if number else found.active.version if found and found.active else None
        if found is None or version not in found.versions:
            raise NotFound(f"no model {asked!r} serves here")
        chosen = found.versions[version]
        index, scores = version % 10, [0.0] * 10
        scores[index] = 1.0
        labels = chosen.manifest.labels
        return Classified(
            index, labels[index], tuple(scores), str(chosen), labels, PICTURE, "", "output", "probabilities"
        )

    # ── corrections ──────────────────────────────────────────────────────────────────────────────

    def correct(self, digit: int, predicted: int | None = None, **more: Any) -> str:
        """Do as a visitor who says which digit a drawing is; the correction's id. ``more`` are fields of it."""
        number = len(self._corrections) + 1
        id = hashlib.sha256(f"{number} {digit}".encode()).hexdigest()
        serving = self.models()
        model, version = (serving[-1].name, serving[-1].version) if serving else (None, None)
        self._corrections.append(
            Correction(id, _now(), "waiting", predicted, digit, model, version, number, PICTURE, **more)
        )
        return id

    def corrections(
        self, state: State | None = None, *, most: int | None = None, pictures: bool = False
    ) -> CorrectionPage:
        counts = self.counts()
        found = [c for c in self._corrections if state in (None, c.state)][:most]
        return CorrectionPage(tuple(c if pictures else c.without_picture() for c in found), counts)

    def counts(self) -> Counts:
        self._answer()
        states = [correction.state for correction in self._corrections]
        return Counts(states.count("waiting"), states.count("accepted"), states.count("rejected"))

    def review(self, ids: Sequence[str], verdict: Verdict) -> tuple[Correction, ...]:
        self._answer()
        chosen = {self._find(id) for id in ids}
        for n in chosen:
            self._corrections[n] = replace(self._corrections[n], state=STATES[verdict])
        return tuple(replace(self._corrections[n].without_picture(), number=None) for n in sorted(chosen))

    def _find(self, id: str) -> int:
        if len(id) < 6:
            raise BadInput(f"a correction's id is at least 6 of 0-9 and a-f. Received: {id!r}")
        found = [n for n, correction in enumerate(self._corrections) if correction.id.startswith(id)]
        if not found:
            raise NotFound(f"there is no correction {id}")
        if len(found) > 1:
            raise BadInput(f"several corrections begin with {id}; give more of the id")
        return found[0]

    def export(self, destination: Path) -> Path:
        self._answer()
        kept = sorted((c for c in self._corrections if c.state == "accepted"), key=lambda c: c.id)
        if not kept:
            raise WorkbenchError("no correction is accepted yet, so there is nothing to export")
        with tempfile.TemporaryDirectory() as aside:
            folder = Path(aside)
            np.savez_compressed(
                folder / "corrections.npz",
                x=np.zeros((len(kept), 28, 28), np.uint8),
                y=np.array([c.digit for c in kept], np.int64),
                predicted=np.array([-1 if c.predicted is None else c.predicted for c in kept], np.int64),
            )
            write_listing(
                folder, {"count": len(kept), "corrections": [c.without_picture().as_json() for c in kept]}
            )
            return artifact.pack(folder, destination)

    def _answer(self) -> None:
        if self.away:
            raise Unavailable(self.away)


def _refuse_worse(version: Version, model: _Model) -> None:
    active = model.active
    if active is None or active.version == version.version or not version.manifest.corrections:
        return
    now, before = _metrics(version).get("accuracy"), active.metrics.get("accuracy")
    if now is not None and before is not None and now < before:
        raise ModelRefused(
            f"{version} was trained with corrections and is worse on the held-out part: {now:.4f} instead of "
            f"{before:.4f} of version {active.version}, which goes on serving; to deploy it all the same: --anyway"
        )


def _metrics(version: Version) -> dict[str, float]:
    return dict(version.manifest.metrics)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
