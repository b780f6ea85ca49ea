"""The machines of one training as TensorFlow knows them, and what it raises when one of them is gone."""

import contextlib
import re
import socket
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import tensorflow as tf

from workbench.errors import Unavailable

PEER_TIMEOUT_S = 180.0


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
_BACK_AGAIN = re.compile(
    r"some remote workers have been restarted|Unable to find the relevant tensor remote_handle"
    r"|Primary device is not remote|(?is:unknown device.*/job:(?:ps|worker)|/job:(?:ps|worker).*unknown device)"
)
"""In the words of an argument's error: a peer ended and is back already, without what it held."""


def is_back_again(error: BaseException) -> bool:
    """Whether TensorFlow complains of what a peer held that was restarted before anybody missed it.

    Its coordinator knows them likewise (``_is_worker_failure`` of ``cluster_coordinator.py``), but only in tasks, not
    where the chief reads a variable itself.

    >>> is_back_again(ValueError("some remote workers have been restarted"))
    False
    """
    return isinstance(error, tf.errors.InvalidArgumentError) and bool(_BACK_AGAIN.search(str(error)))


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

    def resolver(self, gpus: int = 0) -> tf.distribute.cluster_resolver.ClusterResolver:
        """The cluster as TensorFlow wants it said; synchronous workers compute on as many GPUs as are told."""
        spec = {
            role: list(self.addresses[role]) for role in ("chief", "ps", "worker") if self.addresses.get(role)
        }
        if not self.ps:
            spec = {"worker": spec["worker"]}
        return tf.distribute.cluster_resolver.SimpleClusterResolver(
            tf.train.ClusterSpec(spec),
            task_type=self.role,
            task_id=self.index,
            num_accelerators={"GPU": gpus},
            rpc_layer="grpc",
        )


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


def let_go(role: str, index: int) -> None:
    """Tell a machine that only waits that it may go."""
    with contextlib.suppress(tf.errors.OpError), tf.device(f"/job:{role}/task:{index}/device:CPU:0"):
        tf.io.write_file(DONE_FILE, "")
