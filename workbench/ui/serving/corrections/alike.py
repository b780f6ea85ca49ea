"""The training pictures most like a drawing that is reviewed: of the version that answered it."""

from collections.abc import Mapping, Sequence

import numpy as np

from workbench.backends.correction_values import Correction
from workbench.datasets import is_here, load
from workbench.errors import WorkbenchError
from workbench.models.sample import MOST, read_sample
from workbench.pictures import ink
from workbench.pictures.alike import Sample
from workbench.settings import Settings
from workbench.ui.widgets.drawing.inline_pictures import data_url
from workbench.verbs import models
from workbench.verbs.models import Version

MNIST, DIGITS = "mnist", tuple("0123456789")


class AlikeTraining:
    """Finds them, and remembers what it found: drawings and versions never change."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._samples: dict[str, Sample | None] = {}
        self._found: dict[str, list[dict[str, str]]] = {}

    def find(self, corrections: Sequence[Correction]) -> Mapping[str, list[dict[str, str]]]:
        """For each drawing's id up to five ``{"picture", "label"}``; none where its version is not here."""
        new = [c for c in corrections if c.id not in self._found and c.picture]
        for model in {(c.model, c.version) for c in new}:
            self._look(self._sample(*model), [c for c in new if (c.model, c.version) == model])
        return {c.id: self._found.get(c.id, []) for c in corrections}

    def _look(self, sample: Sample | None, corrections: Sequence[Correction]) -> None:
        seen = [(c, _fitted(c)) for c in corrections]
        drawn = [(c, x) for c, x in seen if x is not None and sample is not None and x.shape == sample.side]
        for correction in corrections:
            self._found[correction.id] = []
        if sample is None or not drawn:
            return
        nearest = sample.nearest(np.stack([x for _, x in drawn]))
        for (correction, _), found in zip(drawn, nearest, strict=True):
            self._found[correction.id] = [{"picture": data_url(x), "label": label} for x, label in found]

    def _sample(self, model: str | None, version: int | None) -> Sample | None:
        reference = f"{model}:{version}"
        if model is not None and reference not in self._samples:
            try:
                self._samples[reference] = self._read(models.find(reference, self._settings))
            except WorkbenchError:
                self._samples[reference] = None  # it was deployed from elsewhere
        return self._samples.get(reference)

    def _read(self, version: Version) -> Sample | None:
        """The sample that travels with the version; else some of MNIST, if it learned digits and that is here."""
        labels = version.manifest.labels
        found = read_sample(version)
        if found is None and labels == DIGITS and is_here(MNIST, self._settings):
            (x, y), _ = load(MNIST, self._settings)
            found = x[:: len(x) // MOST], y[:: len(x) // MOST]
        if found is None:
            return None
        x, y = found
        return Sample(x, tuple(labels[k] if 0 <= k < len(labels) else str(k) for k in y))


def _fitted(correction: Correction) -> np.ndarray | None:
    """The drawing as a model sees it, ``(28, 28)``."""
    try:
        return ink.fit(ink.decode(ink.from_data_url(correction.picture)))
    except WorkbenchError:
        return None
