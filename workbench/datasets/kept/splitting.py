"""The training and the test part: which of them each example comes into."""

import numpy as np

from workbench.datasets.kept.blocks import TEST, UNKNOWN, Seen
from workbench.datasets.kept.values import Split


def choose_parts(seen: Seen, split: Split, before: dict[int, int]) -> bytearray:
    """The part of each example."""
    if split.by in ("given", "column") and UNKNOWN not in seen.parts:
        return bytearray(seen.parts)
    chosen = np.zeros(len(seen.hashes), np.uint8)
    hashes = np.frombuffer(seen.hashes, np.uint64) if len(seen.hashes) else np.zeros(0, np.uint64)
    if split.by == "group":
        chosen = _by_group(np.frombuffer(seen.groups, np.uint64), split.share)
    else:
        mixed = _mix(hashes, split.seed)
        labels = np.frombuffer(seen.classes, np.int32)
        for label in np.unique(labels):
            mine = np.flatnonzero(labels == label)
            distinct = np.unique(mixed[mine])
            wanted = min(round(split.share * len(distinct)), len(distinct) - 1)
            if wanted > 0:
                chosen[mine] = mixed[mine] <= distinct[wanted - 1]
        if not chosen.any() and len(np.unique(mixed)) > 1:
            chosen[mixed == mixed.min()] = TEST
    if before:
        for n, h in enumerate(seen.hashes):
            if (part := before.get(h)) is not None:
                chosen[n] = part
    given = np.frombuffer(bytes(seen.parts), np.uint8)
    chosen = np.where(given == UNKNOWN, chosen, given).astype(np.uint8)
    return bytearray(chosen.tobytes())


def _by_group(groups: np.ndarray, share: float) -> np.ndarray:
    """Whole groups, in the order of their hashes, until the share is reached."""
    distinct, where, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    until = np.cumsum(sizes) - sizes / 2 <= share * len(groups)
    if not until.any() and len(distinct) > 1:
        until[0] = True
    if until.all() and len(distinct) > 1:
        until[-1] = False
    return until[where].astype(np.uint8)


def _mix(hashes: np.ndarray, seed: int) -> np.ndarray:
    """Other hashes for each seed; equal ones stay equal (the finaliser of splitmix64)."""
    with np.errstate(over="ignore"):
        h = hashes + np.uint64((seed * 0x9E3779B97F4A7C15) & (2**64 - 1))
        h = (h ^ (h >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        h = (h ^ (h >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        mixed: np.ndarray = h ^ (h >> np.uint64(31))
    return mixed
