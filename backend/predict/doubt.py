"""Doubt of an answer: a drawing that is no digit, or several, as the detector that travels with a version tells it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from backend.deployments.values import Deployment
from backend.predict.apart import Part, read_apart
from workbench.doubt import DIGITS, Kind
from workbench.pictures import ink

GAP_INK = 40
HARDLY = 0.2
"""Below this score a drawing with a gap is one digit of two strokes, and not cut."""


@dataclass(frozen=True)
class Doubt:
    """What speaks against taking the answer as one digit, from 0 to 1, and the digits that were read one by one."""

    kind: Kind
    score: float
    parts: tuple[Part, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """The doubt, and the parts if there are any, as they stand in the answer."""
        told: dict[str, object] = {"doubt": {"kind": self.kind, "score": round(self.score, 6)}}
        if self.parts:
            told["parts"] = [
                {"digit": part.digit, "probabilities": [round(p, 6) for p in part.probabilities]}
                for part in self.parts
            ]
        return told


def find_doubt(
    seen: NDArray[np.uint8], deployment: Deployment, read_ink: Callable[[], ink.Ink]
) -> Doubt | None:
    """Doubt a fitted drawing ``(28, 28)``; ``None`` where it is one digit.

    Only models of the ten digits whose drawings are fitted as MNIST's are asked, and where there is neither a gap in the
    drawing nor a doubt of the detector nothing more is looked at. A version without a detector tells several digits that
    stand apart, and nothing else.

    Parameters
    ----------
    read_ink
        Gives the drawing as it was sent, where all its pixels are wanted.
    """
    manifest, detector = deployment.manifest, deployment.detector
    if manifest.preprocessing != "mnist" or manifest.labels != DIGITS:
        return None
    judged = None if detector is None else detector.judge(seen)
    is_doubted = detector is not None and judged is not None and judged.score > detector.limit
    if not is_doubted and (not _has_gap(seen) or (judged is not None and judged.score < HARDLY)):
        return None
    low, high = manifest.takes.range

    def predict(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = pictures.reshape(len(pictures), *manifest.takes.shape).astype(np.float32)
        return deployment.classify(x * np.float32((high - low) / 255) + np.float32(low))

    # Digits far apart are small and thin in the fitted picture, so that it may look like anything else.
    is_one = judged is not None and is_doubted and judged.kind == "no_digit"
    parts = read_apart(read_ink(), predict, detector, cut=not is_one)
    if parts:
        return Doubt("several", float(np.prod([part.probability for part in parts])), parts)
    return Doubt(judged.kind, judged.score) if judged is not None and is_doubted else None


def _has_gap(seen: NDArray[np.uint8]) -> bool:
    """Tell whether an empty column or row parts the drawing."""
    ink_there = seen >= GAP_INK
    for axis in (0, 1):
        inked = np.flatnonzero(ink_there.any(axis=axis))
        if len(inked) and int(inked[-1] - inked[0]) >= len(inked):
            return True
    return False
