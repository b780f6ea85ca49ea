"""How steps are run: in this process, by synchronous workers, or by asynchronous ones with parameter servers.

The training loop (``training.py``) is the same for all; it asks for steps and is told how many were done. What it
validates, checkpoints and exports is an ordinary model of this process, ``copy``, into which ``collect`` brings
what training has made of the distributed one.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import keras
import numpy as np

from workbench.node import data
from workbench.node.strategies.parameter_servers import ParameterServers
from workbench.node.strategies.peers import Cluster
from workbench.node.strategies.steps import Advance
from workbench.node.strategies.synchronous import Synchronous
from workbench.recipes import Program


class Strategy(Protocol):
    """Whoever runs the steps, as the loop needs it.

    ``start`` comes first; ``spread`` before the first ``advance``; after ``end`` nothing.

    Attributes
    ----------
    leads
        This process checkpoints, evaluates and exports.
    share
        What of the validation part this process evaluates.
    replicas
        How many share each batch: devices, of all synchronous workers or of one asynchronous.
    copy
        The model as an ordinary one of this process; there after ``start``, up to date after ``collect``.
    report_every_s
        How long an ``advance`` should take.
    waits
        No steps are done between two calls of ``advance``.
    """

    leads: bool
    share: data.WorkerShare
    replicas: int
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

    def set_rate(self, rate: float) -> None:
        """Give the optimizer a learning rate; synchronous machines must all call it, or none."""

    def settle(self) -> None:
        """Return once no step is under way."""

    def collect(self) -> None:
        """Bring the copy up to date; synchronous machines must all call it, or none."""

    def sum(self, values: np.ndarray) -> np.ndarray:
        """The sum over the machines that validate."""

    def end(self) -> None:
        """Wait until no machine needs another one any more."""


def make(cluster: Cluster, say: Callable[[str], None] = lambda line: None) -> Strategy:
    """Make the strategy for this machine of the cluster.

    Raises
    ------
    ClusterBroke
        A machine of it cannot be reached.
    """
    return ParameterServers(cluster, say) if cluster.ps else Synchronous(cluster)
