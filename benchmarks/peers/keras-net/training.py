"""A small net and what happens to its pictures; ``torch_net.py`` is the same in PyTorch."""

from typing import Any

import keras
import tensorflow as tf
from keras import layers

EPOCHS, BATCH_SIZE = 4, 256
LABELS, INPUT = list("0123456789"), {"kind": "image", "preprocessing": "mnist"}


def augment(x: Any) -> Any:
    """Turn, slant, stretch and move pictures (n, 28, 28, 1), each in its own way, and thicken the ink of every second."""
    most = [[0.2], [0.2], [0.15], [0.15], [2.0], [2.0]]
    by = tf.random.uniform([6, tf.shape(x)[0]], -1, 1) * most
    turn, lean, wide, high, right, down = tf.unstack(by)
    a, b, c, d = 1 + wide, lean - turn, turn, 1 + high
    across, along = 13.5 * (1 - a - b) + right, 13.5 * (1 - c - d) + down
    where = tf.stack([a, b, across, c, d, along, 0 * a, 0 * a], axis=1)
    how = {"output_shape": [28, 28], "fill_value": 0.0, "interpolation": "BILINEAR"}
    x = tf.raw_ops.ImageProjectiveTransformV3(images=x, transforms=where, **how)
    much = tf.nn.relu(tf.random.uniform([tf.shape(x)[0], 1, 1, 1], -1, 1))
    thick = tf.maximum(x, tf.roll(x, 1, axis=2))
    return x + much * (tf.maximum(thick, tf.roll(thick, 1, axis=1)) - x)


def _convolution(filters: int) -> list[Any]:
    look = layers.Conv2D(filters, 3, use_bias=False)
    return [look, layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def build_model() -> Any:
    """From pictures (n, 28, 28, 1), 0 to 255, to probabilities (n, 10)."""
    see = [
        layers.Rescaling(1 / 255),
        layers.Conv2D(16, 5, strides=2, padding="same", activation="relu"),
        *_convolution(32),
        layers.MaxPooling2D(),
        *_convolution(64),
    ]
    decide = [layers.Flatten(), layers.Dropout(0.3), layers.Dense(10, activation="softmax")]
    model = keras.Sequential([keras.Input((28, 28, 1)), *see, *decide])
    steps = EPOCHS * (60_000 * 9 // 10 // BATCH_SIZE)
    warmup = {"warmup_target": 6e-3, "warmup_steps": steps // 4}
    rate = keras.optimizers.schedules.CosineDecay(3e-4, steps - steps // 4, **warmup)
    model.compile(keras.optimizers.AdamW(rate), "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
