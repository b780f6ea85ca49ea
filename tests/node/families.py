"""Models of many families, each with inputs for it: what goes in, so that a table can say what comes out.

``python -m tests.node.families`` writes the table in ``docs/recipes.md``.
"""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from workbench.errors import ModelRefused
from workbench.node import export
from workbench.node.forms import KERAS, ONNX, SAVED_MODEL, TFLITE
from workbench.node.model import input_of, plain, predict
from workbench.settings import PROJECT

DOCUMENT = PROJECT / "docs" / "recipes.md"
BEGIN, END = "<!-- families: made by python -m tests.node.families -->\n", "<!-- end of families -->\n"
chance = np.random.default_rng(0)
PICTURES = chance.integers(0, 255, (8, 12, 12, 3)).astype("uint8")
TOKENS = chance.integers(1, 20, (8, 10))
TEXTS = np.array(["a b", "c d e", "a", "größe", "c", "d", "a b c", ""])
WORDS = ["a", "b", "c", "d", "e", "größe"]


class Own(keras.Model):
    """A class of a recipe's own, with a step that acts in training only."""

    def __init__(self) -> None:
        super().__init__()
        self.turn, self.scale = layers.RandomFlip(), layers.Rescaling(1 / 255)
        self.flat, self.out = layers.Flatten(), layers.Dense(3)

    def call(self, x: Any) -> Any:
        return self.out(self.flat(self.scale(self.turn(x))))


@dataclass(frozen=True)
class Family:
    """A model, and inputs as a recipe would give them."""

    name: str
    make: Callable[[], keras.Model]
    x: np.ndarray


@dataclass(frozen=True)
class Row:
    """What comes out of a family."""

    name: str
    shape: tuple[int | None, ...]
    dtype: str
    missing: frozenset[str]
    refused: str = ""


def pictures(*middle: keras.Layer, dtype: str | None = None, policy: str = "float32") -> keras.Model:
    """A small net of pictures with these layers in it."""
    keras.config.set_dtype_policy(policy)
    try:
        return keras.Sequential(
            [
                keras.Input((12, 12, 3), dtype=dtype),
                *middle,
                layers.Rescaling(1 / 255),
                layers.Conv2D(4, 3, activation="relu"),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(4, activation="softmax"),
            ]
        )
    finally:
        keras.config.set_dtype_policy("float32")


def sequence(
    *middle: keras.Layer, shape: tuple[int | None, ...] = (10,), dtype: str | None = None
) -> keras.Model:
    """A small net of tokens with these layers in it."""
    return keras.Sequential(
        [keras.Input(shape, dtype=dtype), layers.Embedding(20, 8), *middle, layers.Dense(2, "softmax")]
    )


def attention() -> keras.Model:
    """A net that looks at all tokens at once."""
    x = keras.Input((10,), dtype="int32")
    e = layers.Embedding(20, 8)(x)
    h = layers.LayerNormalization()(e + layers.MultiHeadAttention(2, 4)(e, e))
    return keras.Model(x, layers.Dense(2, activation="softmax")(layers.GlobalAveragePooling1D()(h)))


def text(shape: tuple[int, ...]) -> keras.Model:
    """A small net of texts."""
    vectorize = layers.TextVectorization(50, output_sequence_length=8, vocabulary=WORDS)
    first = [keras.Input(shape, dtype="string"), vectorize, layers.Embedding(50, 8)]
    return keras.Sequential([*first, layers.GlobalAveragePooling1D(), layers.Dense(1, activation="sigmoid")])


def normalized() -> keras.Model:
    """A net that keeps the mean and variance of its data."""
    layer = layers.Normalization()
    layer.adapt(PICTURES)
    return pictures(layer)


def random_layers() -> Iterator[tuple[str, Callable[[], keras.Layer]]]:
    """Layers that act in training only."""
    unit = (0, 255)
    yield "RandomFlip", lambda: layers.RandomFlip("horizontal")
    yield "RandomRotation", lambda: layers.RandomRotation(0.1)
    yield "RandomZoom", lambda: layers.RandomZoom(0.1)
    yield "RandomTranslation", lambda: layers.RandomTranslation(0.1, 0.1)
    yield "RandomContrast", lambda: layers.RandomContrast(0.1)
    yield "RandomBrightness", lambda: layers.RandomBrightness(0.1)
    yield "RandomHue", lambda: layers.RandomHue(0.1, unit)
    yield "RandomSaturation", lambda: layers.RandomSaturation(0.1)
    yield "RandomErasing", lambda: layers.RandomErasing(1.0)
    yield "GaussianNoise", lambda: layers.GaussianNoise(0.9)
    yield "Dropout", lambda: layers.Dropout(0.5)


def name_with(layer: str) -> str:
    """The name of the family of pictures with this layer in it."""
    return f"pictures, {layer}"


def _with(make: Callable[[], keras.Layer]) -> keras.Model:
    return pictures(make())


def families() -> list[Family]:
    """Every family, in the table's order."""
    found = [Family(name_with(layer), partial(_with, make), PICTURES) for layer, make in random_layers()]
    nested = lambda: pictures(keras.Sequential([layers.RandomFlip(), layers.RandomRotation(0.2)]))  # noqa: E731
    found += [
        Family("pictures, random layers in a Sequential", nested, PICTURES),
        Family("pictures, Normalization", normalized, PICTURES),
        Family("pictures, a model class of one's own", Own, PICTURES),
        Family(
            "pictures of any size",
            lambda: keras.Sequential(
                [
                    keras.Input((None, None, 3)),
                    layers.Conv2D(4, 3),
                    layers.GlobalAveragePooling2D(),
                    layers.Dense(2),
                ]
            ),
            PICTURES,
        ),
        Family(
            "pictures in and out",
            lambda: keras.Sequential([keras.Input((12, 12, 3)), layers.Conv2D(3, 3, padding="same")]),
            PICTURES,
        ),
    ]
    found += [
        Family(f"pictures, policy {policy}", partial(pictures, policy=policy), PICTURES)
        for policy in ("mixed_float16", "mixed_bfloat16", "float64")
    ]
    found += [
        Family(f"pictures, Input of {dtype}", partial(pictures, dtype=dtype), PICTURES % 2)
        for dtype in ("float16", "float64", "uint8", "int32", "int64", "bool")
    ]
    found += [
        Family("tokens, attention", attention, TOKENS),
        Family("tokens of any length, GRU", lambda: sequence(layers.GRU(8), shape=(None,)), TOKENS),
        Family(
            "tokens, masked, bidirectional LSTM",
            lambda: keras.Sequential(
                [
                    keras.Input((10,), dtype="int64"),
                    layers.Embedding(20, 8, mask_zero=True),
                    layers.Bidirectional(layers.LSTM(4)),
                    layers.Dense(2),
                ]
            ),
            TOKENS,
        ),
        Family(
            "numbers, Discretization",
            lambda: keras.Sequential(
                [
                    keras.Input((10,)),
                    layers.Discretization([3.0, 5.0]),
                    layers.Embedding(10, 4),
                    layers.Flatten(),
                    layers.Dense(2),
                ]
            ),
            TOKENS,
        ),
        Family(
            "whole numbers, IntegerLookup",
            lambda: keras.Sequential(
                [
                    keras.Input((10,), dtype="int64"),
                    layers.IntegerLookup(vocabulary=[1, 2, 3]),
                    layers.Embedding(10, 4),
                    layers.Flatten(),
                    layers.Dense(2),
                ]
            ),
            TOKENS,
        ),
        Family("text, TextVectorization", lambda: text(()), TEXTS),
        Family("text in a column, TextVectorization", lambda: text((1,)), TEXTS[:, None]),
        Family(
            "text, StringLookup",
            lambda: keras.Sequential(
                [
                    keras.Input((1,), dtype="string"),
                    layers.StringLookup(vocabulary=WORDS, output_mode="one_hot"),
                    layers.Dense(2),
                ]
            ),
            TEXTS[:, None],
        ),
        Family("pictures, Lambda", lambda: pictures(layers.Lambda(lambda t: t / 2)), PICTURES),
    ]
    return found


def try_out(family: Family) -> Row:
    """Export the model of a family, with every form loaded back and compared."""
    keras.utils.set_random_seed(0)  # the same weights, and so the same row, each time
    model = family.make()
    model(family.x[:1])
    model = plain(model, family.x)
    takes = input_of(model, family.x)
    shape, dtype = tuple(takes.shape[1:]), takes.dtype.name
    with tempfile.TemporaryDirectory() as folder:
        try:
            made = export.export(model, Path(folder), family.x, predict(model, family.x), [globals()])
        except ModelRefused as error:
            return Row(family.name, shape, dtype, frozenset((KERAS, SAVED_MODEL, ONNX, TFLITE)), str(error))
    return Row(family.name, shape, dtype, frozenset(made.missing))


def as_line(row: Row) -> str:
    """Write a row of the table."""
    shape = ", ".join("n" if side is None else str(side) for side in row.shape)
    marks = ["–" if form in row.missing else "yes" for form in (KERAS, SAVED_MODEL, ONNX, TFLITE)]
    marks = ["refused by the check", "", "", ""] if row.refused else marks
    return f"| {row.name} | {row.dtype} | ({shape}) | " + " | ".join(marks) + " |\n"


def main() -> None:
    """Write the table anew."""
    lines = "".join(as_line(try_out(family)) for family in families())
    head = "| model | takes | shape | `model.keras` | SavedModel | ONNX | LiteRT |\n|---|---|---|---|---|---|---|\n"
    before, _, rest = DOCUMENT.read_text().partition(BEGIN)
    DOCUMENT.write_text(before + BEGIN + "\n" + head + lines + "\n" + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
