"""How steps are run: in this process, by synchronous workers, or by asynchronous ones with parameter servers.

The training loop (``training.py``) is the same for all; it asks for steps and is told how many were done. What it
validates, checkpoints and exports is an ordinary model of this process, ``copy``, into which ``collect`` brings
what training has made of the distributed one.
"""

import contextlib
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import keras
import numpy as np
import tensorflow as tf

from workbench.errors import RecipeError, Unavailable
from workbench.node import data
from workbench.node import model as models
from workbench.recipes import Program
from workbench.upstream import keras as upstream

REPORT_EVERY_S = 0.25
TASK_S = 1.0
"""How long a task for an asynchronous worker should take."""
AHEAD_S = 4.0
"""Work that the chief keeps handed out, so that no worker waits while it validates."""
PEER_TIMEOUT_S = 180.0
LET_GO_S = 3.0
_POLL_S = 0.05


class ClusterBroke(Unavailable):
    """A machine of the cluster is gone; what was done since the last checkpoint is lost, a relaunch goes on from it."""


BROKEN = (
    ClusterBroke,
    tf.errors.UnavailableError,
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    ConnectionError,
)
"""What TensorFlow raises when a peer is gone."""


@dataclass(frozen=True)
class Cluster:
    """The machines of one training, and which of them this process is.

    Attributes
    ----------
    addresses
        ``{"chief": ["HOST:PORT"], "ps": […], "worker": […]}``; a single worker alone needs none.
    """

    role: str = "worker"
    index: int = 0
    workers: int = 1
    ps: int = 0
    addresses: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @property
    def leads(self) -> bool:
        """Whether this machine checkpoints, evaluates and exports."""
        return self.role == "chief" if self.ps else (self.role, self.index) == ("worker", 0)

    @property
    def address(self) -> str | None:
        """This machine's own ``HOST:PORT``; ``None`` for a process that has no peers."""
        if self.ps == 0 and self.workers == 1:
            return None
        return self.addresses[self.role][self.index]

    def resolver(self) -> tf.distribute.cluster_resolver.ClusterResolver:
        """The cluster as TensorFlow wants it said."""
        spec = {
            role: list(self.addresses[role]) for role in ("chief", "ps", "worker") if self.addresses.get(role)
        }
        if not self.ps:
            spec = {"worker": spec["worker"]}
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(spec), task_type=self.role, task_id=self.index, rpc_layer="grpc"
        )


@dataclass(frozen=True)
class Advance:
    """What was done since the last call.

    Attributes
    ----------
    done
        Steps in all.
    loss, accuracy
        Mean over the batches since the last call, ``None`` where the model reports none.
    asked
        Whether any of the machines asked, for each of the questions.
    """

    done: int
    loss: float | None
    accuracy: float | None
    asked: tuple[bool, ...]


class Strategy(Protocol):
    """What the loop needs of whoever runs the steps.

    ``start`` comes first; ``spread`` before the first ``advance``; after ``end`` nothing.

    Attributes
    ----------
    leads
        This process checkpoints, evaluates and exports.
    share
        What of the validation part this process evaluates.
    workers
        How many share each batch.
    copy
        The model as an ordinary one of this process; there after ``start``, up to date after ``collect``.
    report_every_s
        How long an ``advance`` should take.
    waits
        No steps are done between two calls of ``advance``.
    """

    leads: bool
    share: data.Share
    workers: int
    copy: keras.Model
    report_every_s: float
    waits: bool

    def start(self, program: Program, batches: data.Batches) -> None:
        """Build the model where it is trained, and its copy here."""

    def spread(self, step: int) -> None:
        """Give the leading machine's copy to all as the state after ``step`` steps."""

    def advance(self, total: int, pace: float, asks: Sequence[bool]) -> Advance:
        """Do some steps, for about ``report_every_s``, and not beyond ``total``.

        Synchronous steps stop at the end of an epoch; asynchronous ones go on while the chief does other things.

        Parameters
        ----------
        pace
            Steps a second lately, 0 if not known.
        asks
            This machine's part in what all machines must decide alike.
        """

    def settle(self) -> None:
        """Return once no step is under way."""

    def collect(self) -> None:
        """Bring the copy up to date; synchronous machines must all call it, or none."""

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over the machines that validate."""

    def end(self) -> None:
        """Wait until no machine needs another one any more."""


def make(cluster: Cluster, say: Callable[[str], None] = lambda line: None) -> Strategy:
    """The strategy for this machine of the cluster.

    Raises
    ------
    ClusterBroke
        A machine of it cannot be reached.
    """
    return ParameterServers(cluster, say) if cluster.ps else Synchronous(cluster)


class Synchronous:
    """Workers that do every step together, each on its share of the batch; one process is the smallest case."""

    waits = True

    def __init__(self, cluster: Cluster) -> None:
        self.workers = cluster.workers
        self.leads = cluster.leads
        self.share = data.Share(cluster.index, cluster.workers)
        self.strategy = tf.distribute.get_strategy()
        if cluster.workers > 1:
            _use_one_gpu(cluster.index)
            self.strategy = tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=cluster.resolver())
        self.report_every_s = REPORT_EVERY_S
        self._count = 1
        self._reduce = tf.function(self._reduce_in_graph, reduce_retracing=True)

    def start(self, program: Program, batches: data.Batches) -> None:
        self.batches = batches
        with self.strategy.scope():
            self.model = models.build(program, batches.sample)
        models.build_metrics(self.model, batches.sample)
        self.copy = self.model
        if self.workers > 1:
            _check_optimizers(self.model)
            self.copy = models.build(program, batches.sample)
        self._step = models.Step(self.model)
        self._steps = tf.function(self._steps_in_graph, reduce_retracing=True)

    def spread(self, step: int) -> None:
        if self.workers > 1:
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
        count = min(left, wish if self.workers == 1 else self._count)
        said = self._steps(self._feed, tf.constant(count), tf.constant([float(wish), *asks])).numpy()
        self._count = max(1, int(said[2] / self.workers))
        self._done += count
        return _advance(self._done, said[:2] / (count * self.workers), self._step.names, said[3:] > 0)

    def _steps_in_graph(self, feed: Any, count: tf.Tensor, asks: tf.Tensor) -> tf.Tensor:
        sums = tf.zeros(2)
        for _ in tf.range(count):
            sums += self.strategy.run(self._step, args=(next(feed),))
        return self.strategy.reduce("SUM", tf.concat([sums, asks], 0), axis=None)

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
            for i, value in zip(own, _cut(total / self.workers, [values[i] for i in own]), strict=True):
                values[i] = value
        for copied, value in zip(models.variables(self.copy), values, strict=True):
            copied.assign(value)

    def sum(self, values: np.ndarray) -> np.ndarray:
        return self._reduce(tf.constant(values, tf.float64)).numpy() if self.workers > 1 else values

    def _reduce_in_graph(self, values: tf.Tensor) -> tf.Tensor:
        return self.strategy.reduce("SUM", values, axis=None)

    def end(self) -> None:
        # What the leading machine had to do is done, whoever else is gone by now.
        with contextlib.suppress(*(BROKEN if self.leads else ())):
            self.sum(np.zeros(1))


class ParameterServers:
    """The chief's side: it hands out tasks of some steps each; workers take them as they can.

    The variables live on the parameter servers. One of them, the tally, counts steps and sums what they report; each
    step adds to it in one operation, so that nothing is lost between workers that add at the same time.
    """

    waits = False

    def __init__(self, cluster: Cluster, say: Callable[[str], None]) -> None:
        self.workers = 1
        self.leads = True
        self.share = data.EVERYTHING
        self.report_every_s = REPORT_EVERY_S
        self._cluster, self._say = cluster, say
        wait_for_peers(cluster)
        self.strategy = tf.distribute.ParameterServerStrategy(cluster.resolver())
        self._coordinator = tf.distribute.coordinator.ClusterCoordinator(self.strategy)

    def start(self, program: Program, batches: data.Batches) -> None:
        self.batches = batches
        with self.strategy.scope():
            self.model = models.build(program, batches.sample)
            self._tally = tf.Variable([0.0, 0.0, 0.0], dtype=tf.float64, trainable=False, name="tally")
        models.build_metrics(self.model, batches.sample)
        self.copy = models.build(program, batches.sample)
        _check_optimizers(self.model)
        for optimizer in models.optimizers(self.model):
            upstream.count_exactly(optimizer)
        self._step = models.Step(self.model)
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
        return _advance(done, np.array(sums) / max(count, 1), self._step.names, asks)

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

    def settle(self) -> None:
        self._coordinator.join()

    def _task_in_graph(self, source: Any, places: tf.Tensor, count: tf.Tensor) -> None:
        batch = self.batches.task(source, places)
        for number in tf.range(count):
            report = self.strategy.run(self._step, args=(batch(number),))
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
            threading.Thread(target=_let_go, args=(role, index), daemon=True)
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


DONE_FILE = "done"
"""Written by a parameter server or worker into its own folder when the chief says that it may go."""


def serve(cluster: Cluster) -> tf.distribute.Server:
    """Be a parameter server, or a worker beside one: TensorFlow's server works in threads of its own, as long as
    what this gives is kept."""
    return tf.distribute.Server(
        cluster.resolver().cluster_spec(), job_name=cluster.role, task_index=cluster.index, protocol="grpc"
    )


def wait_for_peers(cluster: Cluster, timeout_s: float = PEER_TIMEOUT_S) -> None:
    """Return once each parameter server and worker accepts connections.

    Raises
    ------
    ClusterBroke
        One of them did not within the time.
    """
    give_up = time.monotonic() + timeout_s
    for role in ("ps", "worker"):
        for index, address in enumerate(cluster.addresses[role]):
            host, port = address.rsplit(":", 1)
            while True:
                try:
                    socket.create_connection((host, int(port)), timeout=5).close()
                    break
                except OSError as error:
                    if time.monotonic() > give_up:
                        raise ClusterBroke(
                            f"{role} {index} at {address} did not answer within {timeout_s:.0f} s: {error}"
                        ) from error
                time.sleep(0.1)


def _advance(done: int, means: np.ndarray, names: frozenset[str], asked: Sequence[bool]) -> Advance:
    values = {
        name: float(mean) for name, mean in zip(("loss", "accuracy"), means, strict=True) if name in names
    }
    return Advance(done, values.get("loss"), values.get("accuracy"), tuple(bool(a) for a in asked))


def _check_optimizers(model: keras.Model) -> None:
    if any(optimizer.gradient_accumulation_steps for optimizer in models.optimizers(model)):
        raise RecipeError(
            "Keras cannot accumulate gradients across machines; leave gradient_accumulation_steps out and make "
            "BATCH_SIZE as many times larger",
            field="training",
        )


def _cut(values: np.ndarray, like: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
    """The arrays that were concatenated into ``values``, in the shapes and types of ``like``."""
    ends = np.cumsum([array.size for array in like])
    for part, array in zip(np.split(values, ends[:-1]), like, strict=True):
        yield part.reshape(array.shape).astype(array.dtype)


def _let_go(role: str, index: int) -> None:
    with contextlib.suppress(tf.errors.OpError), tf.device(f"/job:{role}/task:{index}/device:CPU:0"):
        tf.io.write_file(DONE_FILE, "")


def _use_one_gpu(index: int) -> None:
    """One process, one device: more devices are more workers."""
    if gpus := tf.config.list_physical_devices("GPU"):
        tf.config.set_visible_devices(gpus[index % len(gpus)], "GPU")
