"""Steps that all workers do together; one process is the smallest case."""

import contextlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import tensorflow as tf

from workbench.node import data
from workbench.node import model as models
from workbench.node.given import callbacks
from workbench.node.strategies import replicas
from workbench.node.strategies.peers import BROKEN, Cluster
from workbench.node.strategies.steps import REPORT_EVERY_S, Advance, check_optimizers, mean_advance
from workbench.recipes import Program


class Synchronous:
    """Workers that do every step together, each on its share of the batch; one process is the smallest case.

    A worker with several GPUs computes on all of them, each on its part of the worker's share.

    Parameters
    ----------
    devices
        On which this process computes; without any, its GPUs, or the CPU where it has none.
    """

    waits = True

    def __init__(self, cluster: Cluster, devices: Sequence[str] = ()) -> None:
        self._workers = cluster.workers
        self.leads = cluster.leads
        self.share = data.WorkerShare(cluster.index, cluster.workers)
        self.strategy = tf.distribute.get_strategy()
        devices = devices or replicas.gpus()
        self._here = max(1, len(devices))
        self.replicas = self._workers * self._here
        if self._workers > 1:
            resolver = cluster.resolver(gpus=len(devices))
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
        elif self._here > 1:
            self.strategy = tf.distribute.MirroredStrategy(devices)
        self.report_every_s = REPORT_EVERY_S
        self._count = 1
        self._reduce = tf.function(self._reduce_in_graph, reduce_retracing=True)

    def start(self, program: Program, batches: data.Batches) -> None:
        self.batches = batches
        with self.strategy.scope():
            self.model = models.build(program, batches.sample)
        models.build_metrics(self.model, batches.sample)
        self.copy = self.model
        if self.replicas > 1:
            check_optimizers(self.model)
            self.copy = models.build(program, batches.sample)
        self._step = models.Step(self.model, program.output)
        self._part = replicas.split(self._step, self._here)
        self._steps = tf.function(self._steps_in_graph, reduce_retracing=True)

    def spread(self, step: int) -> None:
        if self.replicas > 1:
            mine = [v.numpy() for v in models.variables(self.copy)]
            said = self.sum(np.concatenate([[step], *(value.ravel() for value in mine)]) * float(self.leads))
            step = int(said[0])
            for variable, value in zip(models.variables(self.model), _cut(said[1:], mine), strict=True):
                variable.assign(value)
        self._done = step
        self._feed = iter(self.batches.feed(step, self.share))

    def advance(self, total: int, pace: float, asks: Sequence[bool]) -> Advance:
        per_epoch = self.batches.steps_per_epoch
        left = min(total - self._done, per_epoch - self._done % per_epoch)
        wish = max(1, math.floor(self.report_every_s * pace))
        # Workers measure differently but must do the same number of steps: the mean of what they wished for before.
        count = min(left, wish if self._workers == 1 else self._count)
        said = self._steps(self._feed, tf.constant(count), tf.constant([float(wish), *asks])).numpy()
        self._count = max(1, int(said[2] / self._workers))
        self._done += count
        return mean_advance(self._done, said[:2] / (count * self.replicas), self._step.names, said[3:] > 0)

    def _steps_in_graph(self, feed: Any, count: tf.Tensor, asks: tf.Tensor) -> tf.Tensor:
        sums = tf.zeros(2)
        for _ in tf.range(count):
            sums += replicas.total(self.strategy, self.strategy.run(self._part, args=(next(feed),)))
        return self._reduce_in_graph(tf.concat([sums, asks], 0))

    def set_rate(self, rate: float) -> None:
        callbacks.set_rate([self.model, self.copy], rate)

    def settle(self) -> None:
        pass

    def collect(self) -> None:
        if self.copy is self.model:
            return
        values = [variable.numpy() for variable in models.variables(self.model)]
        # Each worker has its own moving averages of batch normalisation: their mean is the model's.
        own = [
            i
            for i, v in enumerate(models.variables(self.model))
            if not v.trainable and values[i].dtype.kind == "f"
        ]
        if own:
            total = self.sum(np.concatenate([values[i].ravel() for i in own], dtype=np.float64))
            for i, value in zip(own, _cut(total / self._workers, [values[i] for i in own]), strict=True):
                values[i] = value
        for copied, value in zip(models.variables(self.copy), values, strict=True):
            copied.assign(value)

    def sum(self, values: np.ndarray) -> np.ndarray:
        return self._reduce(tf.constant(values, tf.float64)).numpy() if self._workers > 1 else values

    def _reduce_in_graph(self, values: tf.Tensor) -> tf.Tensor:
        """The sum over machines: of a machine's replicas only the first has the values."""
        if self._workers == 1:
            return values
        if self._here == 1:
            return self.strategy.reduce("SUM", values, axis=None)

        def first(values: tf.Tensor) -> tf.Tensor:
            return values * tf.cast(replicas.local_number(self._here) == 0, values.dtype)

        return self.strategy.reduce("SUM", self.strategy.run(first, args=(values,)), axis=None)

    def end(self) -> None:
        # What the leading machine had to do is done, whoever else is gone by now.
        with contextlib.suppress(*(BROKEN if self.leads else ())):
            self.sum(np.zeros(1))


def _cut(values: np.ndarray, like: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """Cut out the arrays that were concatenated into ``values``, in the shapes and types of ``like``."""
    ends = np.cumsum([array.size for array in like])
    for part, array in zip(np.split(values, ends[:-1]), like, strict=True):
        yield part.reshape(array.shape).astype(array.dtype)
