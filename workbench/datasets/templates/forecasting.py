"""Forecasting: from the rows of some days, in their order, the value of a later one."""

from collections.abc import Mapping

from workbench.datasets.kept.values import DatasetManifest
from workbench.errors import BadInput

_HELPERS = '''"""The table {name} as a series: its rows by {date}, cut into windows."""

import numpy as np
from workbench import datasets

NAME = {name!r}
DATE = {date!r}
TARGET = {target!r}
COLUMNS = {columns}
WINDOW = {window}  # rows that the model sees
AHEAD = 1  # rows that lie between the last one it sees and the one it tells, and one more
TEST = 0.2  # share of the windows at the end, to test with: what comes later than all it learned from


def load_series():
    """All rows by their date: float32 (rows, columns); a missing number is the one before it."""
    parts = datasets.columns(NAME)
    whole = {{name: np.concatenate([part[name] for part in parts]) for name in (DATE, *COLUMNS)}}
    order = np.argsort(whole[DATE].astype("f8"), kind="stable")
    rows = np.stack([whole[name][order].astype("f8") for name in COLUMNS], axis=1)
    for n in range(1, len(rows)):
        rows[n] = np.where(np.isnan(rows[n]), rows[n - 1], rows[n])
    return np.nan_to_num(rows).astype("f4")


def make_windows():
    """(x, y) in their order: x (n, WINDOW, columns), y (n,)."""
    rows = load_series()
    count = len(rows) - WINDOW - AHEAD + 1
    if count < 10:
        raise ValueError(f"{{len(rows)}} rows are too few for windows of {{WINDOW}} and {{AHEAD}} ahead")
    x = np.stack([rows[n : n + WINDOW] for n in range(count)])
    return x, rows[WINDOW + AHEAD - 1 :, COLUMNS.index(TARGET)]


def split():
    """The windows to learn from, and later ones to test with: no row of the one is in the other."""
    x, y = make_windows()
    cut = round(len(x) * (1 - TEST))
    apart = min(cut + WINDOW + AHEAD - 1, len(x) - 1)
    return (x[:cut], y[:cut]), (x[apart:], y[apart:])
'''

_PREPROCESSING = '''"""{about}."""

from helpers import split


def load_data():
    # (x, y) to train with and later ones to test with; x is float32 (n, WINDOW, columns), y the value that follows
    return split()
'''

_TRAINING = '''"""A net that reads a window of a series and tells how the last value will have changed."""

import keras
from helpers import COLUMNS, TARGET, WINDOW, split
from keras import layers

EPOCHS = 30
BATCH_SIZE = 32
PATIENCE = 5  # end after so many epochs without getting better, and keep the best
UNITS = 32
RATE = 3e-3
INPUT = {"kind": "array"}


def build_model():
    (x, y), _ = split()
    at = COLUMNS.index(TARGET)
    scale = layers.Normalization()
    scale.adapt(x)
    steps = float((y - x[:, -1, at]).std()) or 1.0
    given = keras.Input((WINDOW, len(COLUMNS)))
    h = layers.LSTM(UNITS)(scale(given))
    h = layers.Dense(UNITS, activation="relu")(h)
    # It begins with "as it is now", which is hard to beat, and learns what to add.
    change = layers.Rescaling(steps)(layers.Dense(1, kernel_initializer="zeros")(h))
    now = given[:, -1, at : at + 1]
    model = keras.Model(given, layers.Add()([now, change]))
    model.compile(keras.optimizers.Adam(RATE), "mean_squared_error", metrics=["mean_absolute_error"])
    return model
'''


def is_series(manifest: DatasetManifest) -> bool:
    """Whether it is a table with a date and a number to be told."""
    return _has_number(manifest) and any(column.kind == "date" for column in manifest.columns)


def make(manifest: DatasetManifest) -> Mapping[str, str]:
    """The recipe's files, by name.

    Raises
    ------
    BadInput
        It is no table with a date and a number to be told.
    """
    target = manifest.target
    dates = [column for column in manifest.columns if column.kind == "date"]
    if target is None or not _has_number(manifest):
        raise BadInput(
            f"{manifest} has no number to be forecast: add a table whose target is a number, in whose rows one "
            "column is a date"
        )
    if not dates:
        names = ", ".join(column.name for column in manifest.columns)
        raise BadInput(
            f"{manifest} has no column of dates, by which its rows follow each other; it has: {names}"
        )
    numbers = [
        column.name
        for column in manifest.columns
        if column.kind in ("number", "flag") and (column.role != "unused" or column is target)
    ]
    rows = manifest.train.examples + manifest.test.examples
    date = min(dates, key=lambda column: column.missing).name
    window = max(2, min(28, rows // 10))
    about = f"{rows:,} rows of {manifest.name} by {date}; {target.name} is to be told"
    return {
        "helpers.py": _HELPERS.format(
            name=manifest.name, date=date, target=target.name, columns=numbers, window=window
        ),
        "preprocessing.py": _PREPROCESSING.format(
            about="".join(c for c in about if c.isprintable() and c not in '\\"')
        ),
        "training.py": _TRAINING,
    }


def _has_number(manifest: DatasetManifest) -> bool:
    target = manifest.target
    return manifest.kind == "table" and target is not None and not manifest.labels and target.kind == "number"
