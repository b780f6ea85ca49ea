"""Memory and descriptors come back when versions change: what served before the last two is gone."""

import gc
from pathlib import Path

import numpy as np
import psutil

from backend.deployments.store import Deployments
from tests.backend import making

BEFORE, CHANGES, VERSIONS = 40, 200, 4
MOST_MB = 16.0


def test_two_hundred_changes_of_version_leave_memory_and_descriptors_as_they_were(tmp_path: Path) -> None:
    for number in range(1, VERSIONS + 1):
        making.version(tmp_path / "models" / "mnist-cnn" / str(number), number)
    deployments, process = Deployments(tmp_path), psutil.Process()
    x = np.zeros((1, 28, 28, 1), np.float32)

    def change(turn: int) -> None:
        number = turn % VERSIONS + 1
        assert deployments.activate("mnist-cnn", number).classify(x).argmax() == number

    for turn in range(BEFORE):  # the runtime's own arenas grow with the first models
        change(turn)
    gc.collect()
    memory, descriptors = process.memory_info().rss, process.num_fds()
    for turn in range(CHANGES):
        change(turn)
    gc.collect()
    assert process.num_fds() < descriptors + 20  # this process has other work, too
    assert (process.memory_info().rss - memory) / 2**20 < MOST_MB
