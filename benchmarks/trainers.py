"""Two synchronous workers of ours beside torch's DistributedDataParallel and Ray Train: images a second, and their CPU.

The same network, pictures, batch and optimizer in each framework, two processes on the same cores, in turns, each
alone. Few epochs: what is compared is the pace.
"""

import statistics
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path

from benchmarks import environments, train
from benchmarks.homes import make_home
from benchmarks.measuring import Row
from benchmarks.serving import free_port, serve
from benchmarks.train import Run, Training
from workbench.errors import Unavailable
from workbench.settings import PROJECT

ROUNDS = 2
EPOCHS = 2
OURS = "2 synchronous workers"
FOLDER = PROJECT / "benchmarks" / "peers"
PEERS = {
    "torch DDP": (
        "torch_ddp",
        "-m torch.distributed.run --nproc-per-node=2 --master-addr=127.0.0.1 --master-port={port}"
        " {peers}/torch_ddp.py {data} {log} {result} {epochs}",
    ),
    "Ray Train": ("ray_trainer", "{peers}/ray_trainer.py {data} {log} {result} {epochs} {folder}"),
}
"""By name: what the environment is made of, ``peers/NAME.txt``, and what its Python is given."""


def run() -> list[Row]:
    """Measure; fetches MNIST if it is not there, and installs the peers where they are not there."""
    failed: dict[str, str] = {}
    with make_home() as (settings, provider):
        provider.prewarm()
        home = settings.home
        ways: dict[str, Callable[[Path], AbstractContextManager[Training]]] = {
            OURS: partial(train.machines, provider, home, train.LAYOUTS[OURS], epochs=EPOCHS)
        }
        for name, (environment, command) in PEERS.items():
            try:
                python = environments.make(environment)
            except Unavailable as error:
                failed[name] = str(error)
            else:
                ways[name] = partial(_peer, f"{python} {command}", settings.data / "mnist.npz")
        runs: dict[str, list[Run]] = {name: [] for name in ways}
        for _ in range(ROUNDS):
            for name in [name for name in ways if name not in failed]:
                try:
                    runs[name].append(train.measure(home, ways[name]))
                except Unavailable as error:
                    if name == OURS:
                        raise
                    print(f"{name}: {error}", file=sys.stderr)
                    failed[name] = str(error)
    return _rows(runs, failed)


def _rows(runs: dict[str, list[Run]], failed: dict[str, str]) -> list[Row]:
    rows = []
    for what, unit, more in (("images/s", "/s", True), ("CPU for 1,000 images", "s", False)):
        mine = _values(runs[OURS], more)
        for name in PEERS:
            title, value = f"trainers: {what}, {OURS}, beside {name}", statistics.median(mine)
            if name in failed:
                note = f"not measured: {' '.join(failed[name].split())}"
                rows.append(Row(title, value, unit, more=more, note=note))
            else:
                theirs = _values(runs[name], more)
                note = f"{min(mine):.3g}–{max(mine):.3g} and {min(theirs):.3g}–{max(theirs):.3g}"
                note += f"; right {_accuracy(runs[OURS]):.2%} and {_accuracy(runs[name]):.2%}"
                rows.append(Row(title, value, unit, statistics.median(theirs), more=more, note=note))
    return rows


def _values(runs: list[Run], pace: bool) -> list[float]:
    return [run.images_per_s if pace else run.cpu_s for run in runs]


def _accuracy(runs: list[Run]) -> float:
    return statistics.median(run.accuracy for run in runs)


def _peer(command: str, data: Path, job: Path) -> AbstractContextManager[Training]:
    log, result = job / "events.jsonl", job / "accuracy"

    @contextmanager
    def started() -> Iterator[Training]:
        with tempfile.TemporaryDirectory() as folder:  # short: Ray's sockets are in it
            values = {"data": data, "log": log, "result": result, "epochs": EPOCHS, "folder": folder}
            words = [word.format(**values, port=free_port(), peers=FOLDER) for word in command.split()]
            own = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_TOKEN": "of-the-benchmark-alone"}
            with serve(words, 0, own, lambda _: True, job / "log") as server:

                def done() -> bool:
                    if server.process.poll() is not None and not result.exists():
                        raise Unavailable(f"it ended: …{(job / 'log').read_text()[-300:].strip()}")
                    return result.exists()

                yield Training(log, done, server.cpu_s, lambda: float(result.read_text()))

    return started()
