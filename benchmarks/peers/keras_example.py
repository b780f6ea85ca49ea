"""Keras' own example for MNIST, as it is published: ``keras_example EPOCHS SEED RESULT``.

https://keras.io/examples/vision/mnist_convnet: the same layers, Adam, batch 128, a tenth held back for validation. The
result is JSON with the same fields as those of ``benchmarks.fast`` for ours.
"""

import json
import sys
import time
from pathlib import Path

import keras
from keras import layers

from workbench import datasets


class Clock(keras.callbacks.Callback):
    """When the first step was done, which traces the graph, and what the rest took."""

    began: tuple[float, float] | None = None
    seconds = cpu_s = 0.0

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        self.began = self.began or (time.perf_counter(), time.process_time())

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        assert self.began
        self.seconds = time.perf_counter() - self.began[0]
        self.cpu_s = time.process_time() - self.began[1]


def main(epochs: int, seed: int, result: Path) -> None:
    """Train to the end."""
    keras.utils.set_random_seed(seed)
    (x, y), (x_test, y_test) = datasets.load("mnist")
    x, x_test = (part.astype("float32")[..., None] / 255 for part in (x, x_test))
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(10, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    clock = Clock()
    model.fit(x, y, batch_size=128, epochs=epochs, validation_split=0.1, callbacks=[clock], verbose=0)
    accuracy = float((model.predict(x_test, batch_size=1000, verbose=0).argmax(1) == y_test).mean())
    result.write_text(json.dumps({"seconds": clock.seconds, "cpu_s": clock.cpu_s, "accuracy": accuracy}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
