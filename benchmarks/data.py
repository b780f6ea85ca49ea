"""A large data set of one's own: added, trained from, removed; time, memory, and the speed beside arrays in memory.

``DATA_MB`` (1000) says how large; each step is a process of its own, whose peak of memory the system tells. Pictures of
64×64 in colour, random, so that nothing can be packed or left out. The same net trains once from the stream and once from a
part of the same pictures as arrays, in turns, twice each. What either costs is told in CPU seconds, which whoever else works
on the computer changes least; the speeds by the clock, of which the better run counts, are told beside it.
"""

import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measuring import Row
from workbench.errors import Unavailable
from workbench.settings import PROJECT

SIDE, CLASSES = 64, 10
BYTES = SIDE * SIDE * 3
IN_MEMORY_MB = 200
SECONDS = 20.0
"""Of training, once the first steps are done."""
WORKER_GB, SPEED = 2.0, 0.95


def run() -> list[Row]:
    """Measure; needs three times the size on the disk for a while."""
    size_mb = int(os.environ.get("DATA_MB", "1000"))
    with tempfile.TemporaryDirectory(dir=os.environ.get("DATA_FOLDER")) as folder:
        home, source = Path(folder) / "home", Path(folder) / "source"
        if shutil.disk_usage(folder).free < 3.5 * size_mb * 1e6:
            raise Unavailable(
                f"{folder} has no room for {3.5 * size_mb / 1000:.1f} GB; set DATA_MB or DATA_FOLDER"
            )
        _child("make", home, source, str(size_mb))
        added = _child("add", home, source)
        shutil.rmtree(source)
        before = _used(home)
        looked = _child("look", home, source)
        turns = [
            (_child("train", home, source, "stream"), _child("train", home, source, "memory"))
            for _ in range(2)
        ]
        removed = _child("remove", home, source)
        left = _used(home)
    streams, memory = zip(*turns, strict=True)
    best, peer = (max(one["speed"] for one in found) for found in (streams, memory))
    spent, peers = (min(one["cpu_ms"] for one in found) for found in (streams, memory))
    gb = f"of {size_mb / 1000:g} GB"
    return [
        Row(
            f"data: add {gb}", size_mb / added["seconds"], "MB/s", more=True, note=f"{added['seconds']:.0f} s"
        ),
        Row("data: memory to add", added["gb"], "GB", goal=WORKER_GB),
        Row("data: look at it", looked["seconds"], "s", note=f"{looked['gb']:.2f} GB of memory"),
        Row("data: CPU from the stream", spent, "ms an image", peers, note="peer: arrays"),
        Row("data: of the CPU from memory", peers / spent, "", goal=SPEED, more=True),
        Row("data: speed from the stream", best, "images/s", peer, more=True, note="peer: arrays"),
        Row("data: memory of a worker", max(one["gb"] for one in streams), "GB", goal=WORKER_GB),
        Row("data: left when removed", left / 1e6, "MB", goal=1.0, note=f"{before / 1e6:.0f} MB before"),
        Row("data: time to remove", removed["seconds"], "s"),
    ]


def _child(what: str, home: Path, source: Path, *more: str) -> dict[str, float]:
    environment = {**os.environ, "WORKBENCH_HOME": str(home), "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [sys.executable, "-m", "benchmarks.data", what, str(source), *more]
    done = subprocess.run(command, cwd=PROJECT, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"benchmarks data, {what}: {done.stderr[-2000:]}")
    told: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return told


def _used(home: Path) -> int:
    return sum(path.stat().st_size for path in (home / "data").rglob("*") if path.is_file())


def _make(source: Path, size_mb: int) -> None:
    """Write ``x.npy`` and ``y.npy`` a piece at a time."""
    import numpy as np

    source.mkdir(parents=True)
    count = size_mb * 1_000_000 // BYTES
    chance = np.random.default_rng(0)
    x = np.lib.format.open_memmap(source / "x.npy", "w+", np.uint8, (count, SIDE, SIDE, 3))
    y = chance.integers(0, CLASSES, count)
    for n in range(0, count, 2000):
        part = chance.integers(0, 200, (min(2000, count - n), SIDE, SIDE, 3), np.uint8)
        part[np.arange(len(part)), y[n : n + len(part)]] += 50  # a brighter row says the class
        x[n : n + len(part)] = part
    x.flush()
    np.save(source / "y.npy", y)


def _cpu() -> float:
    """CPU seconds of this process so far."""
    spent = resource.getrusage(resource.RUSAGE_SELF)
    return spent.ru_utime + spent.ru_stime


def _train(how: str) -> dict[str, float]:
    """Images a second and CPU milliseconds an image, once it goes evenly."""
    import keras

    from workbench import datasets
    from workbench.node import training
    from workbench.recipes import from_namespace

    def build_model() -> keras.Model:
        net = keras.Sequential(
            [
                keras.Input((SIDE, SIDE, 3)),
                keras.layers.Rescaling(1 / 255),
                *(
                    layer
                    for filters in (16, 32, 64)
                    for layer in (
                        keras.layers.Conv2D(filters, 3, activation="relu"),
                        keras.layers.MaxPooling2D(),
                    )
                ),
                keras.layers.GlobalAveragePooling2D(),
                keras.layers.Dense(CLASSES, activation="softmax"),
            ]
        )
        net.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
        return net

    train, _ = datasets.load("large", stream=True)
    if how == "memory":
        import numpy as np

        some = list(train.batch(100).take(IN_MEMORY_MB * 10_000 // BYTES).as_numpy_iterator())
        train = tuple(np.concatenate([pair[n] for pair in some]) for n in range(2))
    program = from_namespace(
        {"load_data": lambda: None, "build_model": build_model, "BATCH_SIZE": 64, "EPOCHS": 1000}
    )
    seen: list[tuple[float, float, int]] = []

    def stop() -> bool:
        return len(seen) > 1 and seen[-1][0] - seen[0][0] > SECONDS

    def note(progress: training.TrainingProgress) -> None:
        if progress.step > 30:
            seen.append((time.monotonic(), _cpu(), progress.step))

    training.train(program, train, on_progress=note, stop=stop)
    (begun, spent, first), (ended, total, last) = seen[0], seen[-1]
    images = (last - first) * 64
    return {"speed": images / (ended - begun), "cpu_ms": (total - spent) / images * 1000}


def main(what: str, source: Path, *more: str) -> None:
    """One step, in a process of its own; prints what it took."""
    from workbench.datasets.sources import How
    from workbench.settings import from_environment
    from workbench.verbs import datasets as verbs
    from workbench.verbs.datasets import looking
    from workbench.verbs.workbench import open_store

    settings, begun = from_environment(), time.monotonic()
    told: dict[str, float] = {}
    if what == "make":
        _make(source, int(more[0]))
    elif what == "add":
        verbs.add("large", source, How(), settings)
    elif what == "train":
        told |= _train(more[0])
    elif what == "look":
        looking.look(verbs.find("large", settings), settings)
    else:
        with open_store(settings) as store:
            verbs.remove("large:1", settings, store)
    told |= {
        "seconds": time.monotonic() - begun,
        "gb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6,
    }
    print(json.dumps(told))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), *sys.argv[3:])
