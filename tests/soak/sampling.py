"""Memory and open files of the processes that are to live long, looked at again and again."""

import contextlib
import threading
import time

import psutil

from tests.soak import victims
from tests.soak.notes import Notes, Sample
from tests.soak.world import World

SETTLED_S = 8.0
"""A younger process still grows, and rightly."""
KINDS = ("gunicorn", "backend worker", "apache", "apache child", "jupyter", "queue")


class Sampler:
    """A thread that looks from ``start`` to ``stop``."""

    def __init__(self, world: World, notes: Notes, every_s: float = 4.0) -> None:
        self._world, self._notes, self._every_s = world, notes, every_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_s):
            there = {kind: pids for kind, pids in victims.find(self._world.settings).items() if kind in KINDS}
            there["up"] = [self._world.chain.process.pid]
            if self._world.server:
                there["mariadb"] = [self._world.server.process.pid]
            for kind, pids in there.items():
                seen = [found for pid in pids if (found := _look(kind, pid))]
                if seen:
                    largest = max(seen, key=lambda sample: sample.pss_mb)
                    files = max(sample.files for sample in seen)
                    self._notes.samples.append(Sample(largest.t, kind, largest.pss_mb, files))


def _look(kind: str, pid: int) -> Sample | None:
    with contextlib.suppress(psutil.Error):  # killed meanwhile
        process = psutil.Process(pid)
        if time.time() - process.create_time() > SETTLED_S:
            return Sample(time.monotonic(), kind, process.memory_full_info().pss / 1e6, process.num_fds())
    return None
