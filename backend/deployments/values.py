"""The versions that answer, as values: a deployment, its canary, all that serve, and the work under way before that."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.deployments.engines import Engine
from backend.deployments.loading import Loaded
from workbench import scores
from workbench.doubt import Detector
from workbench.errors import ModelRefused, NoPictureModel
from workbench.manifest import Manifest, OutputKind, drawn_at


@dataclass(frozen=True)
class Deployment:
    """The version of a model that answers."""

    name: str
    version: int
    since: str
    previous: int | None
    loaded: Loaded = field(repr=False)
    canary: "Canary | None" = None

    @property
    def manifest(self) -> Manifest:
        """What the version says of itself."""
        return self.loaded.manifest

    @property
    def engine(self) -> Engine:
        """What computes its answers."""
        return self.loaded.engine

    @property
    def detector(self) -> Detector | None:
        """What doubts them."""
        return self.loaded.detector

    def numbered(self) -> "dict[int, Deployment]":
        """The versions of this model that may be asked by number: the active one and the canary."""
        return {self.version: self} | (
            {self.canary.deployment.version: self.canary.deployment} if self.canary else {}
        )

    @property
    def gives(self) -> OutputKind:
        """Kind of what it answers, which a manifest that was read with ``manifests.read_whole`` says."""
        output = self.manifest.output
        return output.kind if output else "probabilities"

    def classify(self, x: NDArray[Any]) -> NDArray[np.float32]:
        """Probabilities ``(n, classes)`` for inputs ``(n, …)``; two classes where the model has one output.

        Raises
        ------
        Unanswered
            It took too long.
        ModelRefused
            It did not answer with numbers.
        """
        found, kind = self.engine.predict(x), self.gives
        if kind != "probabilities" or found.shape[1] == 1:
            with np.errstate(invalid="ignore"):
                found = scores.probabilities(found, kind)
        if not math.isfinite(float(found.sum())):
            raise ModelRefused(f"{self.name}:{self.version} answers this with values that are no numbers")
        return found

    @property
    def takes_pictures(self) -> bool:
        """Tell whether a drawing can be brought into the form of its input."""
        return drawn_at.takes_pictures(self.manifest)

    def check_takes_pictures(self) -> None:
        """Raise NoPictureModel unless it does."""
        if self.manifest.inputs:
            names = ", ".join(self.manifest.feeds)
            raise NoPictureModel(
                f"{self.name} takes several inputs ({names}), not one picture; send them by name: "
                f"/v1/models/{self.name}:predict, or /serve with inputs"
            )
        if not self.takes_pictures:
            raise NoPictureModel(
                f"{self.name}'s input is no picture; send it by name: /v1/models/{self.name}:predict, or /serve with inputs"
            )

    @property
    def recognises(self) -> bool:
        """Tell whether it says of a drawing which of some classes it is."""
        return drawn_at.recognises(self.manifest)

    def check_recognises(self) -> None:
        """Raise NoPictureModel unless it does."""
        self.check_takes_pictures()
        if not self.recognises:
            raise NoPictureModel(
                f"{self.name} answers quantities, not classes; ask it by /serve or /v1/models"
            )


@dataclass(frozen=True)
class Canary:
    """A second version that answers a share of the drawings."""

    percent: float
    deployment: Deployment


@dataclass(frozen=True)
class Serving:
    """The deployments that serve at one moment."""

    deployments: Mapping[str, Deployment]
    """By name, the most recently activated last."""
    failed: Mapping[str, str]
    """The reason why a deployed version could not be loaded here; the one before it answers if there is one."""

    @property
    def default(self) -> Deployment | None:
        """The most recently activated model that recognises drawings."""
        return next((d for d in reversed([*self.deployments.values()]) if d.recognises), None)


@dataclass(frozen=True)
class UnderWay:
    """The work that is being done while no model answers."""

    state: str
    message: str
    step: int | None = None
    of: int | None = None
