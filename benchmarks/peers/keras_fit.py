"""A recipe trained the way Keras' guides do it: ``tf.data`` and ``model.fit``. ``keras_fit RECIPE EVENTS RESULT``.

It reports as a machine does, every ten steps and at each epoch's end, and last its accuracy on the test part.
"""

import sys
import tempfile
import time
from pathlib import Path

import keras
import tensorflow as tf

from workbench import events, recipes

SEED = 0
EVERY = 10


class Report(keras.callbacks.Callback):
    """Writes one line now and then."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path, self.steps = path, 0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.steps += 1
        if self.steps == 1 or self.steps % EVERY == 0:
            self._write(batch, {})

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self._write(epoch, {"val_accuracy": (logs or {})["val_accuracy"]})

    def _write(self, epoch: int, more: dict[str, float]) -> None:
        of = self.params["epochs"] * self.params["steps"]
        event = events.Metric(
            t=time.time(), role="worker", index=0, step=self.steps, of=of, epoch=epoch, **more
        )
        with self.path.open("ab") as file:
            file.write(events.dump(event))


def main(recipe: Path, report: Path, result: Path) -> None:
    """Train to the end."""
    keras.utils.set_random_seed(SEED)
    with tempfile.TemporaryDirectory() as folder:
        program = recipes.load(recipes.read(recipe), Path(folder))
        (x, y), (x_test, y_test) = program.load_data()
        held = len(x) // 10
        batches = tf.data.Dataset.from_tensor_slices((x[held:], y[held:])).shuffle(10_000, seed=SEED)
        batches = batches.batch(program.batch_size, drop_remainder=True)
        augment = program.augment
        if augment is not None:
            batches = batches.map(
                lambda x, y: (augment(tf.cast(x, tf.float32)), y), num_parallel_calls=tf.data.AUTOTUNE
            )
        batches = batches.prefetch(tf.data.AUTOTUNE)
        validation = tf.data.Dataset.from_tensor_slices((x[:held], y[:held])).batch(1024)
        model = program.build_model()
        model.fit(
            batches, epochs=program.epochs, validation_data=validation, callbacks=[Report(report)], verbose=0
        )
    _, accuracy = model.evaluate(x_test, y_test, batch_size=1024, verbose=0)
    aside = result.with_suffix(".aside")
    aside.write_text(str(accuracy))
    aside.rename(result)


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
