"""Model versions: find them, ask them, put them behind a back end."""

import contextlib
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from workbench import packages, recipes
from workbench.arrays import Arrays
from workbench.manifest import Manifest
from workbench.manifest.columns import encode_table
from workbench.models import registry
from workbench.settings import Settings, from_environment
from workbench.verbs import backends, retraining
from workbench.verbs.workbench import opened

if TYPE_CHECKING:
    from ipywidgets import Widget

    from workbench.backends.values import Deployment, Prediction
    from workbench.models.measured import Evaluated

__all__ = ["Version", "Versions", "model", "models", "predict", "rollback"]


class Version:
    """One published version of a model. Versions never change."""

    def __init__(self, found: registry.Version, settings: Settings) -> None:
        self._found, self._settings = found, settings

    def __repr__(self) -> str:
        return f"<Version {self._found}>"

    def __str__(self) -> str:
        return str(self._found)

    @property
    def name(self) -> str:
        """Name of the model."""
        return self._found.name

    @property
    def version(self) -> int:
        """Its number, from 1."""
        return self._found.version

    @property
    def manifest(self) -> Manifest:
        """Everything that is known of it."""
        return self._found.manifest

    def predict(self, x: Arrays) -> Any:
        """Answers to inputs ``(n, …)`` as ``manifest.input`` describes them: float32 ``(n, …)``.

        Several inputs are given as a dict, by the names in ``manifest.feeds``; several outputs come as one. A table's rows may
        be given as a dict of their columns, as they are in ``manifest.columns``.

        By ONNX Runtime where there is such a form, else by TensorFlow.
        """
        from workbench.node import inference

        if self.manifest.columns and isinstance(x, Mapping):
            table = {name: np.asarray(cells).tolist() for name, cells in x.items()}
            x = np.array(encode_table(self.manifest.columns, table), np.float32)
        return inference.predict(self._found.folder, x)

    def evaluate(self) -> "Evaluated":
        """Ask it about each example of the test part that its recipe loads, once."""
        from workbench.datasets import pinned
        from workbench.models import evaluation

        pins = self.manifest.datasets
        with (
            opened(self._settings) as workbench,
            tempfile.TemporaryDirectory() as folder,
            contextlib.ExitStack() as within,
            pinned(pins),
        ):
            source = Path(folder) / "program"
            recipe = retraining.recipe_of(self._found, workbench.store)
            packages.use(
                packages.provide(recipe.requirements, self._settings.packages), self._settings.packages
            )
            recipe.write(source, self._settings.recipe_files)
            within.enter_context(contextlib.chdir(source))  # where its files are found by their names
            program = recipes.load(recipe, source)
            _, test = program.load_data()
        from workbench import arrays
        from workbench.node import data

        feeds, fetches, output = self.manifest.feeds, self.manifest.fetches, self.manifest.output
        x, y = data.arrays(test)
        return evaluation.evaluate(
            self.predict,
            (
                arrays.with_sides(arrays.fit(x, [*feeds]), [*feeds], [one.shape for one in feeds.values()]),
                arrays.fit(y, [*fetches] or ["output"]),
            ),
            {name: one.labels for name, one in fetches.items() if one.labels} or self.manifest.labels,
            says_logits=[name for name, one in fetches.items() if one.kind == "logits"],
            first=output.name if output else "",
        )

    def download(self, path: str | Path) -> Path:
        """Write it as a zip; the file has it whole or is left as it was."""
        return registry.download(self._found, Path(path))

    def deploy(
        self, to: str | None = None, canary: float | None = None, reason: str | None = None
    ) -> "Deployment":
        """Put it behind a back end; the model as it then serves.

        Parameters
        ----------
        to
            ``None`` for the back end that this computer uses, ``aws``, or a URL.
        canary
            Percent of the drawings that it shall answer beside the active version; 0 ends that.
        reason
            Why; the back end's history keeps it.

        Raises
        ------
        ModelRefused
            The back end's own check failed; what served before goes on serving.
        """
        _, now = backends.deploy(str(self), self._settings, to=to, canary=canary, reason=reason or "")
        return now

    def show(self) -> "Widget":
        """Show it in a notebook: how good it is, what it is made of, since when it serves, and the buttons to deploy it."""
        from workbench.ui import parts

        return parts.version(str(self), self._settings)


def model(reference: str) -> Version:
    """The version that ``NAME:V`` names, or the newest one of ``NAME``; raises ``NotFound``."""
    settings = from_environment()
    return Version(registry.find(reference, settings), settings)


class Versions(list[Version]):
    """Versions by name and number; shown, they are the list of all, live."""

    def show(self) -> "Widget":
        """Show all versions in a notebook, live: which one answers, how good each is, and the buttons to change that."""
        from workbench.ui import parts

        return parts.models(from_environment())


def models(name: str | None = None) -> Versions:
    """All published versions, by name and number; only of ``name`` where one is given."""
    settings = from_environment()
    return Versions(Version(found, settings) for found in registry.versions(settings, name))


def rollback(name: str, to: str | None = None, reason: str | None = None) -> "Deployment":
    """Let the version of ``name`` answer again that did before; the model as it then serves."""
    return backends.rollback(name, from_environment(), to=to, reason=reason or "")


def predict(picture: str | Path, to: str | None = None) -> "Prediction":
    """Ask the model that serves about a picture of a digit: ``digit``, ``probabilities``, ``doubt``, and which version said so."""
    return backends.predict(Path(picture), from_environment(), to=to)
