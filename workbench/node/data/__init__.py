"""A recipe's data as batches: the validation part cut off, shuffled anew each epoch, shared among the machines.

Synchronous workers each take their share of every batch. Asynchronous workers take whole batches: from arrays the
chief tells which, so that an epoch visits each example once however fast or slow a worker is; a ``tf.data.Dataset``
has no places to name, so there each worker draws from a part of its own.
"""

from workbench.node.data.as_arrays import arrays
from workbench.node.data.batches import EVERYTHING, TASK_BATCHES, Batches, WorkerShare
from workbench.node.data.preparing import prepare

__all__ = ["EVERYTHING", "TASK_BATCHES", "Batches", "WorkerShare", "arrays", "prepare"]
