"""A training that somebody asks for, before it is a job: checked, estimated, and the version it would become."""

import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass

from workbench import artifact
from workbench.errors import BadInput, NotFound
from workbench.estimates import estimate as estimating
from workbench.estimates import scaling
from workbench.estimates.estimate import Estimate
from workbench.jobs import Job, Store
from workbench.machines import Layout
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.tasks import check as checks
from workbench.verbs.machines import Machines

__all__ = ["Estimate", "Request", "Requests"]


@dataclass(frozen=True)
class Request:
    """One training that somebody asks for."""

    name: str
    requester: str
    recipe: Recipe
    ps: int = 0
    workers: int = 1
    epochs: int | None = None
    provider: str = "local"
    cluster: str | None = None
    """A standing cluster; else the job gets machines of its own."""
    instance_type: str | None = None
    """Of a provider that has types; ``None`` for its usual one."""

    @property
    def layout(self) -> Layout:
        """Raises ``BadInput`` for a layout that cannot be."""
        return Layout(self.ps, self.workers, self.instance_type)


class Requests:
    """Answers to what one asks about a request before sending it."""

    def __init__(self, settings: Settings, store: Store, machines: Machines) -> None:
        self._settings, self._store, self._machines = settings, store, machines

    def check(
        self, recipe: Recipe, workers: int = 1, stop: Callable[[], bool] = lambda: False
    ) -> checks.Checked:
        """Try the recipe on one batch; see ``tasks.check``."""
        return checks.check(
            recipe, self._settings, workers=workers, name=f"check-{secrets.token_hex(8)}", stop=stop
        )

    def estimate(self, request: Request, checked: checks.Checked | None = None) -> Estimate:
        """Estimate how long the training may take and what it may cost.

        Parameters
        ----------
        checked
            What a dry run of this recipe found.
        """
        layout, sha256 = request.layout, request.recipe.sha256
        found = self._store.newest(sha256, layout.ps, layout.workers) + self._store.newest(sha256)
        former = {
            job.id: job
            for job in found
            if (job.provider, job.instance_type) == (request.provider, request.instance_type)
        }
        return estimating.estimate(
            list(former.values()),
            checked,
            request.epochs,
            self._machines.plan(request.provider, layout).price_per_hour,
            layout=layout,
            site=_site(request.provider),
            variables={job.id: size for job in former.values() if (size := self._size(job))},
        )

    def estimate_or_try(self, request: Request) -> Estimate:
        """Estimate it by former jobs; where they tell nothing, by a dry run of the recipe here, which takes a while.

        Raises
        ------
        RecipeError
            The dry run failed.
        """
        found = self.estimate(request)
        return (
            found
            if found.seconds is not None
            else self.estimate(request, self.check(request.recipe, request.workers))
        )

    def _size(self, job: Job) -> int | None:
        """Bytes of the variables in the version that a job has made, as far as its files tell."""
        try:
            files = registry.find(f"{job.name}:{job.version}", self._settings).manifest.files
        except (NotFound, BadInput):
            return None  # it may have been removed since
        form = files.get("model.onnx") or files.get("saved_model/variables/variables.data-00000-of-00001")
        return form.bytes if form else None

    def next_version(self, name: str) -> int:
        """The number that the next version of this model will have; others may take it first.

        Raises
        ------
        BadInput
            No model can have this name.
        """
        artifact.check_name(name)
        return registry.next_number(name, self._settings)


def _site(provider: str) -> scaling.Hardware:
    if provider == "local":
        return scaling.Hardware(cores=os.cpu_count() or 1, shared=True)
    return scaling.network(estimating.GBIT_PER_S)
