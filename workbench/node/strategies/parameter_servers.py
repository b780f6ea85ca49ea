"""Steps that workers do as they can, with the variables on parameter servers: the chief's side."""

import math
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError
from workbench.node import data
from workbench.node import model as models
from workbench.node.given import callbacks
from workbench.node.strategies import replicas
from workbench.node.strategies.peers import Cluster, let_go, wait_for_peers
from workbench.node.strategies.steps import REPORT_EVERY_S, Advance, check_optimizers, mean_advance
from workbench.recipes import Program
from workbench.upstream import keras as upstream

TASK_S = 1.0
"""How long a task for an asynchronous worker should take."""
AHEAD_S = 4.0
"""Work that the chief keeps handed out, so that no worker waits while it validates."""
LET_GO_S = 3.0
_POLL_S = 0.05


class ParameterServers:
    """Chief of asynchronous workers: it hands out tasks of some steps each; workers take them as they can.

    The variables live on the parameter servers. One of them, the tally, counts steps and sums what they report; each
    step adds to it in one operation, so that nothing is lost between workers that add at the same time.
    """

    waits = False

    def __init__(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        self.leads = True
        self.share = data.EVERYTHING
        self.report_every_s = REPORT_EVERY_S
        self._cluster, self._say = cluster, say
        wait_for_peers(cluster)
        self.strategy = tf.distribute.ParameterServerStrategy(cluster.resolver())
        self.replicas = self.strategy.num_replicas_in_sync  # a worker's GPUs share each of its batches
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self.strategy)

    def start(self, program: Program, batches: data.Batches) -> None:
        self.batches = batches
        with self.strategy.scope():
            self.model = models.build(program, batches.sample)
            self._tally = tf.Variable([0.0, 0.0, 0.0], dtype=tf.float64, trainable=False, name="tally")
        models.build_metrics(self.model, batches.sample)
        self.copy = models.build(program, batches.sample)
        check_optimizers(self.model)
        for optimizer in models.optimizers(self.model):
            upstream.count_exactly(optimizer)
        self._step = models.Step(self.model, program.output)
        self._stray = False
        workers = self._cluster.workers
        self._sources = iter(
            self._coordinator.create_per_worker_dataset(lambda: self.batches.source(workers))
        )
        self._task = tf.function(self._task_in_graph, reduce_retracing=True)
        self._read = tf.function(lambda: [tf.identity(v.value) for v in models.variables(self.model)])
        tf.random.set_seed(None)  # from here on: workers that run one graph must not draw the same numbers
        self._tell_where()

    def spread(self, step: int) -> None:
        for mine, theirs in zip(models.variables(self.copy), models.variables(self.model), strict=True):
            theirs.assign(mine.numpy())
        self._tally.assign([float(step), 0.0, 0.0])
        self._last = np.array([float(step), 0.0, 0.0])
        self._given = step
        self._read()  # traced now: later workers would go on meanwhile, and leave a checkpoint's step behind its weights

    def advance(self, total: int, pace: float, asks: Sequence[bool]) -> Advance:
        begun = time.monotonic()
        while True:
            self._hand_out(total, pace)
            tally = self._tally.numpy()
            if tally[0] >= total:
                break
            if tally[0] > self._last[0] and time.monotonic() - begun >= self.report_every_s:
                break
            self._coordinator.done()  # raises what went wrong in a task
            time.sleep(_POLL_S)
        count, *sums = tally - self._last
        self._last = tally
        done = min(int(tally[0]), total)  # what a killed worker had begun is done again by another
        return mean_advance(done, np.array(sums) / max(count, 1), self._step.names, asks)

    def _hand_out(self, total: int, pace: float) -> None:
        """Keep the workers busy for ``AHEAD_S``; at first, give each a single step."""
        per_epoch, workers = self.batches.steps_per_epoch, self._cluster.workers
        size = max(1, min(data.TASK_BATCHES, round(pace / workers * TASK_S)))
        ahead = max(2 * workers * size, pace * AHEAD_S)
        while self._given < total and self._given - self._last[0] < ahead:
            # Nobody has much to do when the others are done.
            fair = max(1, (total - self._given) // (2 * workers))
            count = min(size, fair, per_epoch - self._given % per_epoch)
            places = self.batches.places(self._given)
            self._coordinator.schedule(self._task, args=(self._sources, places, tf.constant(count)))
            if self._stray:
                raise RecipeError(
                    "the model's train_step or augment() uses a variable or a table that was made outside "
                    "build_model(), where no worker can reach it; make it in build_model(). Keras' augmentation "
                    "layers belong into the model: they do something in training only",
                    field="training",
                )
            self._given += count

    def set_rate(self, rate: float) -> None:
        callbacks.set_rate([self.model, self.copy], rate)

    def settle(self) -> None:
        self._coordinator.join()

    def _task_in_graph(self, source: Any, places: tf.Tensor, count: tf.Tensor) -> None:
        batch, step = self.batches.task(source, places), replicas.split(self._step, self.replicas)
        for number in tf.range(count):
            reported = self.strategy.run(step, args=(batch(number),))
            report = replicas.total(self.strategy, reported) / self.replicas
            self._tally.assign_add(tf.concat([[1.0], tf.cast(report, tf.float64)], 0))
        # A worker that is given what only the chief has fails, and TensorFlow tries it again without end.
        graph = tf.compat.v1.get_default_graph()
        self._stray = any(
            outer.dtype == tf.resource and "/job:ps/" not in outer.device for outer, _ in graph.captures
        )

    def collect(self) -> None:
        for copied, value in zip(models.variables(self.copy), self._read(), strict=True):
            copied.assign(value.numpy())

    def sum(self, values: np.ndarray) -> np.ndarray:
        return values

    def end(self) -> None:
        """Let the machines that only wait know that they may go."""
        callers = [
            threading.Thread(target=let_go, args=(role, index), daemon=True)
            for role in ("worker", "ps")
            for index in range(len(self._cluster.addresses[role]))
        ]
        for caller in callers:
            caller.start()
        for caller in callers:
            caller.join(LET_GO_S)  # a machine that is gone already never answers

    def _tell_where(self) -> None:
        placed: dict[str, list[keras.Variable]] = {}
        for variable in models.variables(self.model):
            placed.setdefault(variable.value.device, []).append(variable)
        for device, held in sorted(placed.items()):
            size = sum(math.prod(v.shape) * tf.as_dtype(v.dtype).size for v in held)
            names = ", ".join(v.path for v in held[:3])
            self._say(f"{device} holds {len(held)} variables, {size:,} bytes: {names}, …")
