"""Measure versions of a model on visitors' corrections."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice

import numpy as np

from backend.corrections.store import Corrections
from backend.deployments.values import Deployment

MOST_CORRECTIONS = 2_000
"""The latest accepted corrections on which two versions are measured."""
_Z = 1.959964


@dataclass(frozen=True)
class Recognised:
    """The corrections that a version recognises, and the 95 % interval of their share."""

    right: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Measured:
    """Versions on the same corrections."""

    count: int
    versions: Mapping[int, Recognised]

    def as_json(self) -> dict[str, object]:
        """Give all as ``/models/NAME/compare`` has it."""
        return {"count": self.count, "versions": {str(v): vars(found) for v, found in self.versions.items()}}


def on_corrections(versions: list[Deployment], corrections: Corrections) -> Measured:
    """Count the accepted corrections that each version recognises.

    Visitors correct what was recognised
    wrongly: these drawings are harder than most, and hardest for the version that was corrected.
    """
    latest = list(islice(reversed(list(corrections.all("accepted"))), MOST_CORRECTIONS))
    if not latest:
        return Measured(0, {})
    seen = np.frombuffer(b"".join(c.seen for c in latest), np.uint8).reshape(-1, 28, 28, 1)
    truth = np.array([c.digit for c in latest])
    found: dict[int, Recognised] = {}
    for deployment in versions:
        if deployment.manifest.takes.shape != (28, 28, 1):
            continue
        low, high = deployment.manifest.takes.range
        x = seen.astype(np.float32) * np.float32((high - low) / 255) + np.float32(low)
        said = [deployment.classify(x[i : i + 200]).argmax(1) for i in range(0, len(x), 200)]
        right = int((np.concatenate(said) == truth).sum())
        found[deployment.version] = Recognised(
            right, round(right / len(truth), 6), *interval(right, len(truth))
        )
    return Measured(len(truth), found)


def interval(right: int, of: int) -> tuple[float, float]:
    """Compute Wilson's 95 % interval of a share (Wilson 1927, eq. 6).

    >>> interval(5, 10)
    (0.236593, 0.763407)
    """
    share, n = right / of, of
    middle = share + _Z**2 / (2 * n)
    half = _Z * math.sqrt(share * (1 - share) / n + _Z**2 / (4 * n**2))
    scale = 1 + _Z**2 / n
    return round(max(0.0, (middle - half) / scale), 6), round(min(1.0, (middle + half) / scale), 6)
