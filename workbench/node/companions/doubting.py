"""Train the detector of what is no single digit, once for each home; every version of digits gets it beside its model.

It learns from MNIST and pen strokes, as the models do, and from the drawings of :mod:`workbench.datasets.no_digits`. It does
not depend on the model beside which it answers, so it is kept like a data set: ``WORKBENCH_HOME/data/doubt-….json``.
"""

import hashlib
import inspect
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from workbench import datasets, doubt
from workbench.datasets import drawn, no_digits
from workbench.doubt import Detector, Layer
from workbench.errors import ModelRefused
from workbench.settings import Settings
from workbench.system import files
from workbench.system.locks import locked

SCANS, STROKES, OTHERS = 12_000, 14_000, 23_000
"""Digits of MNIST, of the pen strokes, and drawings that are none, from which it learns."""
HELD_OUT = 5_000
"""Digits of MNIST's training part, and as many pen strokes, that set the limit and are not learned from."""
DOUBTED = 0.008
"""The share of these digits that may be doubted."""
SURE = 0.5
"""No answer is doubted below this score."""
FILTERS = 24, 48, 96
EPOCHS, BATCH_SIZE = 3, 128
SEED = 77
MOST = (0.12, 0.12, 0.1, 0.1, 1.2, 1.2)
"""How much a picture is turned, leant, stretched to both sides, and moved (pixels), at most."""

Pictures = np.ndarray


def find(labels: Sequence[str], preprocessing: str, settings: Settings) -> Detector | None:
    """Give the detector for a model of the ten digits that sees them as MNIST has them; trained first if need be.

    ``None`` for any other model, where MNIST is not at hand (it is not fetched for this alone), and on a machine of a
    cluster that was given none: each job would train its own, for nothing could keep it.
    """
    if tuple(labels) != doubt.DIGITS or preprocessing != "mnist":
        return None
    kept = kept_at(settings)
    if (found := _read(kept)) is not None:
        return found
    if (hindered := _hindered(settings)) is not None:
        print(f"doubt: without a detector, so nothing is doubted: {hindered}", file=sys.stderr, flush=True)
        return None
    with locked(settings.data / ".doubt.lock"):
        if (found := _read(kept)) is None:
            print("doubt: learning what is no digit, once", file=sys.stderr, flush=True)
            found = train(settings)
            files.write_json(kept, found.as_json(), synced=True)
    return found


def _hindered(settings: Settings) -> str | None:
    """Say why no detector can be trained here."""
    if not datasets.is_here("mnist", settings):
        return f"MNIST is not in {settings.data}; train a recipe here once that loads it, then publish again"
    if not os.access(settings.data, os.W_OK):
        return f"{settings.data} may not be written to; a home's own publishing makes it"
    return None


def kept_at(settings: Settings) -> Path:
    """The file in which the detector is kept for the versions to come."""
    return settings.data / f"{doubt.KEPT}{_made_by()}.json"


def train(settings: Settings) -> Detector:
    """Train a detector, some 25 seconds of CPU; the same each time but for the last bits."""
    (scans, scanned), _ = datasets.load("mnist", settings)
    (strokes, meant), (unseen, _) = datasets.load("pen-strokes", settings)
    others, kinds = no_digits.draw_all(OTHERS, SEED)
    x = np.concatenate([scans[:SCANS], strokes[:STROKES], others])[..., None]
    y = np.concatenate([scanned[:SCANS], meant[:STROKES], np.where(kinds, doubt.OTHER, doubt.SEVERAL)])
    keras.utils.set_random_seed(SEED)
    model = _build(EPOCHS * (len(x) // BATCH_SIZE))
    batches = tf.data.Dataset.from_tensor_slices((x, y)).shuffle(len(x), seed=SEED)
    batches = batches.batch(BATCH_SIZE, drop_remainder=True).map(lambda x, y: (_bend_half(x), y))
    model.fit(batches, epochs=EPOCHS, verbose=0, shuffle=False)
    detector = Detector(_fold(model), SURE)
    held_out = np.concatenate([scans[-HELD_OUT:], unseen[:HELD_OUT]])
    scores = detector.shares(held_out)[:, doubt.SEVERAL :].sum(axis=1)
    limit = float(np.clip(np.quantile(scores, 1 - DOUBTED), SURE, 0.99))
    return doubt.parse(Detector(detector.layers, limit).as_json())  # as whoever reads the file has it


def _made_by() -> str:
    """Name all that decides what it learns: this code, that of the drawings, and that which fits them."""
    modules = [inspect.getfile(part) for part in (doubt, no_digits)]
    sources = [Path(__file__), Path(modules[0]), *sorted(Path(modules[1]).parent.glob("*.py"))]
    code = b"".join(path.read_bytes() for path in sources)
    return hashlib.sha256(code + drawn.made_by().encode()).hexdigest()[:16]


def _read(kept: Path) -> Detector | None:
    try:
        return doubt.parse(json.loads(kept.read_bytes()))
    except (OSError, ValueError, AttributeError, ModelRefused):
        return None


def _build(steps: int) -> keras.Model:
    first, second, third = FILTERS
    model = keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 255),
            *_with_norm(layers.Conv2D(first, 5, strides=2, use_bias=False)),
            *_with_norm(layers.Conv2D(second, 3, strides=2, use_bias=False)),
            layers.Flatten(),
            *_with_norm(layers.Dense(third, use_bias=False)),
            layers.Dropout(0.1),
            layers.Dense(doubt.ANSWERS),
        ]
    )
    rate = keras.optimizers.schedules.CosineDecay(
        3e-4, steps - steps // 4, warmup_target=6e-3, warmup_steps=steps // 4
    )
    model.compile(keras.optimizers.AdamW(rate), keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    return model


def _with_norm(layer: keras.Layer) -> list[keras.Layer]:
    return [layer, layers.BatchNormalization(momentum=0.9), layers.ReLU()]


def _bend_half(x: tf.Tensor) -> tf.Tensor:
    """Bend each second picture of a batch: what is asked later is as sharp as the others."""
    half = BATCH_SIZE // 2
    return tf.concat([tf.cast(x[:half], tf.float32), _bend(x[half:])], axis=0)


def _bend(x: tf.Tensor) -> tf.Tensor:
    """Turn, lean, stretch and move each picture of a batch ``(n, 28, 28, 1)`` by a little of its own."""
    by = tf.random.uniform([len(MOST), tf.shape(x)[0]], -1, 1) * tf.constant(MOST)[:, None]
    turn, lean, wide, high, right, down = tf.unstack(by)
    a, b, c, d = 1 + wide, lean - turn, turn, 1 + high
    across, along = 13.5 * (1 - a - b) + right, 13.5 * (1 - c - d) + down
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(x, tf.float32),
        transforms=tf.stack([a, b, across, c, d, along, 0 * a, 0 * a], axis=1),
        output_shape=[28, 28],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )


def _fold(model: keras.Model) -> tuple[Layer, Layer, Layer, Layer]:
    """The products of the net in inference mode: each with the normalisation after it in its own numbers."""
    looking = [one for one in model.layers if isinstance(one, layers.Conv2D | layers.Dense)]
    norms = [one for one in model.layers if isinstance(one, layers.BatchNormalization)]
    folded = []
    for layer, norm in zip(looking, norms, strict=False):
        (weights,) = layer.get_weights()
        gamma, beta, mean, variance = norm.get_weights()
        scale = gamma / np.sqrt(variance + norm.epsilon)
        folded.append(Layer((weights * scale).reshape(-1, weights.shape[-1]), beta - mean * scale))
    first, second, third = folded
    return first, second, third, Layer(*looking[-1].get_weights())
