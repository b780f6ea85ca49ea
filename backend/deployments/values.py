"""The versions that answer, as values: a deployment, its canary, all that serve, and the work under way before that."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from backend.deployments.engines import Engine
from workbench.errors import NoPictureModel
from workbench.manifest import Manifest


@dataclass(frozen=True)
class Deployment:
    """The version of a model that answers."""

    name: str
    version: int
    since: str
    previous: int | None
    manifest: Manifest = field(repr=False)
    engine: Engine = field(repr=False)
    canary: "Canary | None" = None

    def loaded(self) -> "dict[int, Deployment]":
        """The versions of this model that may be asked by number: the active one and the canary."""
        return {self.version: self} | (
            {self.canary.deployment.version: self.canary.deployment} if self.canary else {}
        )

    @property
    def takes_pictures(self) -> bool:
        """Tell whether a drawing can be brought into the form of its input."""
        wanted = self.manifest.takes
        if wanted.kind != "image" or len(wanted.sizes) != 3 or wanted.sizes[2] not in (1, 3):
            return False
        answers = self.manifest.output
        return answers is None or len(answers.shape) == 1  # one score a class, not a picture again

    def check_takes_pictures(self) -> None:
        """Raise NoPictureModel unless it does."""
        if not self.takes_pictures:
            raise NoPictureModel(f"{self.name}'s input is no picture")


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
        """The most recently activated model whose input is a picture."""
        return next((d for d in reversed([*self.deployments.values()]) if d.takes_pictures), None)


@dataclass(frozen=True)
class UnderWay:
    """The work that is being done while no model answers."""

    state: str
    message: str
    step: int | None = None
    of: int | None = None
