"""Files of the version before, which are taken as they are where all their examples still are there."""

from collections import Counter
from collections.abc import Sequence

import numpy as np

from workbench.datasets.kept.blocks import TEST, TRAIN, Seen
from workbench.datasets.kept.hashing import hashes_of
from workbench.datasets.kept.values import Column, DatasetManifest, Shard
from workbench.settings import Settings

MOST_SHARED = 2_000_000
"""Examples up to which files of the version before are looked at."""


class Former:
    """What of the version before may stay as it is."""

    def __init__(
        self, manifest: DatasetManifest | None, columns: Sequence[Column], settings: Settings
    ) -> None:
        self.shards: list[tuple[int, Shard, np.ndarray]] = []
        told = (
            []
            if manifest is None
            else [(c.name, c.kind, c.dtype, c.shape, c.role, c.categories) for c in manifest.columns]
        )
        same = told == [(c.name, c.kind, c.dtype, c.shape, c.role, c.categories) for c in columns]
        if manifest is None or not same or manifest.train.examples + manifest.test.examples > MOST_SHARED:
            return
        from workbench.datasets.kept.store import blob

        for part, one in ((TRAIN, manifest.train), (TEST, manifest.test)):
            for shard in one.shards:
                hashes = np.fromiter(hashes_of(blob(shard, settings), columns), np.uint64, shard.examples)
                self.shards.append((part, shard, hashes))

    def parts(self) -> dict[int, int]:
        """The part that each example had."""
        return {int(h): part for part, _, hashes in self.shards for h in hashes}


def reusable(
    former: Former, seen: Seen, chosen: bytearray
) -> tuple[list[tuple[int, Shard, np.ndarray]], Counter[tuple[int, int]]]:
    """The files that stay, and how often each example of a part needs not be written for that."""
    skip: Counter[tuple[int, int]] = Counter()
    if not former.shards or len(seen.hashes) > MOST_SHARED:
        return [], skip
    there = {part: Counter[int]() for part in (TRAIN, TEST)}
    for h, part in zip(seen.hashes, chosen, strict=True):
        there[part][h] += 1
    kept = []
    for part, shard, hashes in former.shards:
        wanted = Counter(map(int, hashes))
        if all(there[part][h] >= count for h, count in wanted.items()):
            there[part].subtract(wanted)
            skip.update({(part, h): count for h, count in wanted.items()})
            kept.append((part, shard, hashes))
    return kept, skip
