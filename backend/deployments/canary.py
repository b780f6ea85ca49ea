"""The choice between a version and its canary: each drawing goes to one of the two, always to the same."""

import zlib

from backend.deployments.values import Deployment


def choose(active: Deployment, picture: bytes) -> Deployment:
    """Choose the version that answers a drawing, by the drawing alone: every worker chooses alike."""
    canary = active.canary
    if canary is not None and zlib.crc32(picture) % 10_000 < canary.percent * 100:
        return canary.deployment
    return active
