"""The devices of a machine: which GPUs a process of a job has to itself, and what of a batch each of them computes."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import tensorflow as tf

from workbench.node.strategies.peers import Cluster

VISIBLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")


def claim(cluster: Cluster) -> None:
    """Leave this process the GPUs of its computer that no other process of the job is to use.

    Called before TensorFlow first looks for devices. Where nobody else of the job computes on this computer, as on AWS,
    these are all of them.
    """
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # else it takes all memory of each at once
    before = os.environ.get(VISIBLE)
    there = before.split(",") if before else [str(n) for n in range(_count())] if before is None else []
    if there:
        os.environ[VISIBLE] = ",".join(share(cluster, there))


def share(cluster: Cluster, gpus: list[str]) -> list[str]:
    """Deal the GPUs of a computer to the workers on it, as many to each; one may serve several where there are fewer.

    A parameter server has none, nor a chief that has workers beside it.

    >>> pair = {"worker": ["127.0.0.1:5001", "127.0.0.1:5002"]}
    >>> [share(Cluster("worker", index, 2, addresses=pair), list("0123")) for index in (0, 1)]
    [['0', '1'], ['2', '3']]
    >>> [share(Cluster("worker", index, 2, addresses=pair), ["0"]) for index in (0, 1)]
    [['0'], ['0']]
    >>> far = {"worker": ["10.0.0.1:5000", "10.0.0.2:5000"]}
    >>> share(Cluster("worker", 1, 2, addresses=far), list("0123"))
    ['0', '1', '2', '3']
    """
    if cluster.address is None:
        return gpus
    if cluster.role == "ps":
        return []
    host = cluster.address.rpartition(":")[0]
    workers = enumerate(cluster.addresses.get("worker", ()))
    here = [index for index, address in workers if address.rpartition(":")[0] == host]
    if cluster.role != "worker":
        return [] if here else gpus
    many, place = max(1, len(gpus) // len(here)), here.index(cluster.index)
    return [gpus[number % len(gpus)] for number in range(place * many, (place + 1) * many)]


def gpus() -> list[str]:
    """Names of the GPUs that this process has; asking begins nothing that a strategy must come before."""
    return [f"GPU:{number}" for number, _ in enumerate(tf.config.list_physical_devices("GPU"))]


def split(step: Callable[[Any], tf.Tensor], here: int) -> Callable[[Any], tf.Tensor]:
    """The same step for each of ``here`` replicas of a machine, on its part of the machine's batch."""
    if here == 1:
        return step

    def one_of_them(batch: Any) -> tf.Tensor:
        number = local_number(here)

        def cut(whole: Any) -> Any:
            size = (whole.shape[0] or tf.shape(whole)[0]) // here
            part = whole[number * size : (number + 1) * size]
            if isinstance(part, tf.Tensor) and isinstance(size, int):
                part.set_shape([size, *whole.shape[1:]])
            return part

        with tf.device("/device:CPU:0"):  # where batches come from: no GPU needs more than its part
            parts = tf.nest.map_structure(cut, batch)
        return step(parts)

    return one_of_them


def local_number(here: int) -> Any:
    """Of the replica that asks, among those of its machine."""
    context = tf.distribute.get_replica_context()
    return context.replica_id_in_sync_group % here


def total(strategy: tf.distribute.Strategy, reported: Any) -> tf.Tensor:
    """The sum of what the replicas of this machine gave."""
    return tf.add_n(strategy.experimental_local_results(reported))


def _count() -> int:
    """How many GPUs the driver has, asked of nothing that would begin to use them."""
    return len(list(_DRIVER.iterdir())) if _DRIVER.is_dir() else 0
