"""What a training needs to go on after a kill: the state on disk, the last and the best.

Only ordinary variables of the leading machine are saved, never distributed ones: TensorFlow would have each machine
write its own part to its own disk.
"""

import contextlib
import math
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from workbench.errors import WorkbenchError
from workbench.node.model import variables

CHECKPOINT_EVERY_S = 15.0
CHECKPOINT_SHARE = 0.05
"""Of the time, what checkpoints between epochs may cost at most."""


class Checkpoints:
    """The state of one training and where it is kept: ``FOLDER/last`` (two) and ``FOLDER/best`` (one).

    Attributes
    ----------
    step, seconds
        Steps done, and time spent on them.
    best_loss, best_epoch
        Lowest validation loss so far, ``inf`` at first, and the epoch that gave it.
    """

    def __init__(self, folder: Path, model: keras.Model, say: Callable[[str], None]) -> None:
        self._say = say
        counters = {"step": 0.0, "seconds": 0.0, "best_loss": math.inf, "best_epoch": 0.0}
        self._counters = {n: tf.Variable(v, dtype=tf.float64, trainable=False) for n, v in counters.items()}
        self._state = tf.train.Checkpoint(variables=[v.value for v in variables(model)], **self._counters)
        self._last = tf.train.CheckpointManager(self._state, str(folder / "last"), max_to_keep=2)
        self._best = tf.train.CheckpointManager(self._state, str(folder / "best"), max_to_keep=1)

    @property
    def step(self) -> int:
        return int(self._counters["step"].numpy())

    @property
    def seconds(self) -> float:
        return float(self._counters["seconds"].numpy())

    @property
    def best_loss(self) -> float:
        return float(self._counters["best_loss"].numpy())

    @property
    def best_epoch(self) -> int:
        return int(self._counters["best_epoch"].numpy())

    def restore(self) -> bool:
        """Bring the model to the newest state that can be read; ``False`` if there is none.

        Raises
        ------
        WorkbenchError
            There are checkpoints, and none can be read.
        """
        return self._restore(self._last)

    def restore_best(self) -> bool:
        """Bring the model to the state with the lowest validation loss; ``False`` if none was kept."""
        return self._restore(self._best)

    def save(self, step: int, seconds: float) -> bool:
        """Keep the model's state as the last; ``False`` if that failed, as on a full disk: then the one before stays."""
        self._counters["step"].assign(step)
        self._counters["seconds"].assign(seconds)
        return self._save(self._last)

    def save_best(self, step: int, seconds: float, loss: float, epoch: int) -> bool:
        """Keep the model's state as the best, and as the last."""
        self._counters["best_loss"].assign(loss)
        self._counters["best_epoch"].assign(epoch)
        return self.save(step, seconds) and self._save(self._best)

    def _save(self, manager: tf.train.CheckpointManager) -> bool:
        folder = Path(manager.directory)
        try:
            manager.save(checkpoint_number=int(self.step))
        except (tf.errors.OpError, OSError) as error:
            self._say(f"the checkpoint of step {self.step} was not written, the one before stays: {error}")
            for left in folder.glob("*_temp"):
                shutil.rmtree(left, ignore_errors=True)
            with contextlib.suppress(OSError):
                self._clear(folder, manager)
            return False
        return True

    def _clear(self, folder: Path, manager: tf.train.CheckpointManager) -> None:
        kept = {Path(path).name for path in manager.checkpoints}
        for path in folder.glob("ckpt-*"):
            if path.name.split(".")[0] not in kept:
                path.unlink()

    def _restore(self, manager: tf.train.CheckpointManager) -> bool:
        said = ""
        for path in reversed(manager.checkpoints):
            try:
                self._state.restore(path).assert_consumed()
                return True
            except Exception as error:  # of many kinds, IndexError among them
                said = f"{path}: {error}"
                self._say(f"a checkpoint cannot be read: {said}")
        if said:
            raise WorkbenchError(
                f"no checkpoint can be read; start the job anew (retry --anew). The last: {said}"
            )
        return False


class SaveTimer:
    """Says when a checkpoint between epochs is due: seldom enough for what saving costs."""

    def __init__(self) -> None:
        self._since, self._cost = time.monotonic(), 0.0

    def due(self) -> bool:
        """Tell whether the next one should be saved; the saving itself stands in ``with`` of this timer."""
        return time.monotonic() - self._since > max(CHECKPOINT_EVERY_S, self._cost / CHECKPOINT_SHARE)

    def __enter__(self) -> None:
        self._since = time.monotonic()

    def __exit__(self, *_: object) -> None:
        self._cost = time.monotonic() - self._since
        self._since = time.monotonic()
