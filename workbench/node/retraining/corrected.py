"""The drawings that a version was trained with: how many of them it reads, and whether their writers are read better."""

from collections.abc import Callable

import numpy as np

from workbench import datasets, scores
from workbench.datasets import Corrected
from workbench.lineage import BeforeAfter, CorrectedPart, Share, WritersPart
from workbench.manifest import Input, OutputKind
from workbench.node.retraining.parent import ask_parent

Read = Callable[[np.ndarray], np.ndarray]
"""Drawings ``(n, 28, 28)`` → the class that is read in each, int64 ``(n,)``."""


def describe_corrections(
    predict: Callable[[np.ndarray], np.ndarray], wanted: Input, kind: OutputKind
) -> CorrectedPart | None:
    """The visitors' drawings that the recipe read, and how many of them are recognised before and after.

    ``None`` where the recipe read none. Before is what the version said that the training goes on from; where there is
    none, what was said when the drawing came.
    """
    used = datasets.corrections_used()
    if not used:
        return None
    latest = max(used, key=lambda corrected: corrected.version)
    x, y, said = datasets.read_corrections(latest)
    after = before = None
    if len(y) and np.prod(wanted.sizes) == 28 * 28:
        fed = _feed(x, wanted)
        after = _classes(predict(fed), kind)
        asked = ask_parent(fed)
        before = said if asked is None else _classes(asked, kind)
    learned = latest.mask("learned")
    told = learned & (said >= 0)
    return CorrectedPart(
        latest.version,
        tuple(np.array(latest.ids, object)[learned]),
        _share(said, y, told),
        None if after is None else _share(after, y, told),
        writers=_writers(latest, y, before, after),
    )


def _writers(
    latest: Corrected, y: np.ndarray, before: np.ndarray | None, after: np.ndarray | None
) -> WritersPart | None:
    learned, same, others = (latest.mask(side) for side in ("learned", "same", "others"))
    sessions = np.array([drawing.session for drawing in latest.drawings], object)
    if not (sessions != "").any():
        return None

    def compared(aside: np.ndarray) -> BeforeAfter | None:
        if before is None or after is None or not aside.any():
            return None
        return BeforeAfter(_share(before, y, aside), _share(after, y, aside))

    return WritersPart(
        learned=len(set(sessions[learned]) - {""}),
        drawings=int((learned & (sessions != "")).sum()),
        same=compared(same),
        others=compared(others),
    )


def _share(said: np.ndarray, y: np.ndarray, of: np.ndarray) -> Share:
    return Share(int((said == y)[of].sum()), int(of.sum()))


def _feed(x: np.ndarray, wanted: Input) -> np.ndarray:
    shaped = x.reshape(-1, *wanted.sizes)
    low, high = wanted.range
    return shaped if (low, high) == (0, 255) else shaped.astype(np.float32) * ((high - low) / 255) + low


def _classes(outputs: np.ndarray, kind: OutputKind) -> np.ndarray:
    found: np.ndarray = scores.probabilities(np.asarray(outputs), kind).argmax(-1)
    return found
