"""Plain nets: three short files that a beginner can read, made from what a data set is."""

from collections.abc import Mapping

from workbench.datasets.kept import features
from workbench.datasets.kept.values import DatasetManifest
from workbench.errors import BadInput

_PREPROCESSING = '''"""The data set {name}: {about}."""

from workbench import datasets

NAME = {name!r}


def load_data():
    # (x, y) to train with and (x, y) to test with; x is {x}
    return datasets.load(NAME)
'''

_HELPERS = '''"""What both other files use."""

import numpy as np
from workbench import datasets

NAME = {name!r}


def some_inputs(count=10_000):
    """Inputs of the training part, to learn scales or words from."""
    train, _ = datasets.load(NAME)
    if isinstance(train, tuple):
        return train[0][:count]
    return np.concatenate([x for x, _ in train.batch(500).take(count // 500).as_numpy_iterator()])
'''

_TRAINING = '''"""{what}"""

import keras
{imports}from keras import layers

EPOCHS = {epochs}
BATCH_SIZE = {batch}
PATIENCE = 3  # end after so many epochs without getting better, and keep the best
LABELS = {labels}
INPUT = {input}


def build_model():
{body}
    model = keras.Model(given, {output})
    model.compile(keras.optimizers.Adam({rate}), {loss!r}, metrics=[{metric!r}])
    return model
'''

_PICTURES = """    given = keras.Input({shape})
    h = layers.Rescaling(1 / 255)(given)
    h = layers.RandomTranslation(0.08, 0.08)(h)  # these two act in training only
    h = layers.RandomZoom(0.1)(h)
    for filters in {filters}:
        h = layers.Conv2D(filters, 3, padding="same", use_bias=False)(h)
        h = layers.ReLU()(layers.BatchNormalization()(h))
        h = layers.MaxPooling2D()(h)
    h = layers.GlobalAveragePooling2D()(h)
    h = layers.Dropout(0.3)(h)
"""

_TABLE = """    scale = layers.Normalization()
    scale.adapt(some_inputs())
    given = keras.Input(({width},))
    h = scale(given)
    for units in (64, 32):
        h = layers.Dropout(0.1)(layers.Dense(units, activation="relu")(h))
"""

_TEXT = """    words = layers.TextVectorization(max_tokens=20_000, output_sequence_length={length})
    words.adapt(some_inputs())
    given = keras.Input((), dtype="string")
    h = layers.Embedding(20_000, 32, mask_zero=True)(words(given))
    h = layers.GlobalAveragePooling1D()(h)  # over the words that there are: the mask leaves out what fills up
    h = layers.Dropout(0.3)(h)
    h = layers.Dense(32, activation="relu")(h)
"""

_SERIES = """    scale = layers.Normalization()
    scale.adapt(some_inputs())
    given = keras.Input({shape})
    h = scale(given)
    for filters in (32, 64):
        h = layers.Conv1D(filters, 5, padding="same", activation="relu")(h)
    h = layers.GlobalAveragePooling1D()(h)
    h = layers.Dropout(0.2)(h)
"""

_ARRAYS = """    scale = layers.Normalization()
    scale.adapt(some_inputs())
    given = keras.Input({shape})
    h = layers.Flatten()(scale(given))
    for units in (128, 64):
        h = layers.Dropout(0.2)(layers.Dense(units, activation="relu")(h))
"""


def make(manifest: DatasetManifest) -> Mapping[str, str]:
    """The recipe's files, by name.

    Raises
    ------
    BadInput
        The data set has no target that a model could tell.
    """
    target = manifest.target
    if target is None or target.shape:
        raise BadInput(f"{manifest} has no target of one value; a recipe for it has to be written by hand")
    body, x, what, epochs, batch = _network(manifest)
    with_helpers = "some_inputs" in body
    common = {"name": manifest.name, "about": _about(manifest), "x": x}
    training = _TRAINING.format(
        what=what,
        imports="from helpers import some_inputs\n" if with_helpers else "",
        epochs=epochs,
        batch=batch,
        labels=f'datasets.labels("{manifest.name}")' if manifest.labels else "[]",
        input=_input(manifest),
        body=body.rstrip("\n"),
        **end(manifest),
    )
    if "datasets." in training:
        training = training.replace(
            "from keras import layers\n", "from keras import layers\nfrom workbench import datasets\n", 1
        )
    files = {"preprocessing.py": _PREPROCESSING.format(**common), "training.py": training}
    return {**files, "helpers.py": _HELPERS.format(**common)} if with_helpers else files


def _network(manifest: DatasetManifest) -> tuple[str, str, str, int, int]:
    """The layers, what x is, what the net is, epochs, batch size."""
    shape = manifest.inputs[0].shape if manifest.inputs else ()
    if manifest.kind == "pictures":
        side = min(shape[:2])
        filters = (32, 64) if side < 48 else (32, 64, 128) if side < 96 else (32, 64, 128, 128)
        body = _PICTURES.format(shape=shape, filters=filters)
        return (
            body,
            f"uint8 (n, {', '.join(map(str, shape))})",
            "A small convolutional net for pictures.",
            15,
            32,
        )
    if manifest.kind == "text":
        return (
            _TEXT.format(length=200),
            "text (n,)",
            "A net that averages what it learned of each word.",
            8,
            32,
        )
    if manifest.kind == "table":
        width = len(features.features(manifest.columns))
        return (
            _TABLE.format(width=width),
            f"float32 (n, {width}); datasets.feature_names(NAME) says which number is what",
            "A net for the rows of a table: each number scaled by what the training rows show.",
            20,
            32,
        )
    form = f"{manifest.inputs[0].dtype[1:]} (n, {', '.join(map(str, shape))})"
    if len(shape) == 2:
        return _SERIES.format(shape=shape), form, "A net that looks along a series for what matters.", 15, 32
    return _ARRAYS.format(shape=shape), form, "A dense net for arrays of numbers.", 15, 32


def end(manifest: DatasetManifest) -> dict[str, object]:
    target = manifest.target
    assert target is not None
    if manifest.labels:
        return {
            "output": f'layers.Dense({len(manifest.labels)}, activation="softmax", dtype="float32")(h)',
            "rate": 1e-3,
            "loss": "sparse_categorical_crossentropy",
            "metric": "accuracy",
        }
    scale, mean = float(target.deviation or 1.0) or 1.0, float(target.mean or 0.0)
    return {
        "output": f"layers.Rescaling({scale:.6g}, {mean:.6g})(layers.Dense(1)(h))",
        "rate": 1e-3,
        "loss": "mean_squared_error",
        "metric": "mean_absolute_error",
    }


def _input(manifest: DatasetManifest) -> str:
    if manifest.kind == "pictures":
        return '{"kind": "image", "preprocessing": "resize"}'
    if manifest.kind == "table":
        return f'{{"kind": "array", "columns": datasets.input_columns("{manifest.name}")}}'
    return '{"kind": "array"}'


def _about(manifest: DatasetManifest) -> str:
    told = manifest.labels or ((manifest.target.name,) if manifest.target else ())
    shown = ", ".join(told[:6]) + (", …" if len(told) > 6 else "")
    text = f"{manifest.train.examples:,} examples to train with, {manifest.test.examples:,} to test with; {shown}"
    return "".join(c if c.isprintable() and c not in '\\"' else " " for c in text)
