"""Doubt of a served version's answer, as the detector that travels with it tells it."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from backend.deployments.values import Deployment
from workbench.doubt import DIGITS, finding
from workbench.doubt.values import Doubt
from workbench.pictures import ink


def find_doubt(
    seen: NDArray[np.uint8], deployment: Deployment, read_ink: Callable[[], ink.Ink]
) -> Doubt | None:
    """Doubt a fitted drawing ``(28, 28)``; ``None`` where it is one digit.

    Only models of the ten digits whose drawings are fitted as MNIST's are asked.

    Parameters
    ----------
    read_ink
        Gives the drawing as it was sent, where all its pixels are wanted.
    """
    manifest = deployment.manifest
    if manifest.preprocessing != "mnist" or manifest.labels != DIGITS:
        return None
    low, high = manifest.takes.range

    def predict(pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
        x = pictures.reshape(len(pictures), *manifest.takes.shape).astype(np.float32)
        return deployment.classify(x * np.float32((high - low) / 255) + np.float32(low))

    return finding.find_doubt(seen, read_ink, predict, deployment.detector)
