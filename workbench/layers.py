"""Layers that a recipe may use besides Keras' own: what a network does when it is asked, and not while it learns."""

import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

MOST_DEGREES = 20
"""Further, two shears are no longer a turn."""


@keras.saving.register_keras_serializable("workbench")
class Views(keras.layers.Layer):
    """Show the layers after it each picture several times, turned a little; while they learn, once and as it is.

    ``MeanOfViews`` makes one answer of them. Together they are test-time augmentation (Krizhevsky et al., 2012, there
    with crops): what a network takes for another digit when it is turned is seldom the same turned the other way.

    Parameters
    ----------
    turns
        Degrees, counterclockwise, at most 20 either way; 0 is the picture as it is. The first one is what pages show of
        the network's inside.

    Notes
    -----
    Takes ``(n, height, width, channels)`` and gives ``(n · views, height, width, channels)``, the views of one picture
    after each other. What comes in from beyond the edge is 0.
    """

    def __init__(self, turns: Sequence[float] = (0, -8, 8), **options: Any) -> None:
        super().__init__(**options)
        self.turns = tuple(float(turn) for turn in turns)
        if not self.turns or not all(abs(turn) <= MOST_DEGREES for turn in self.turns):
            raise ValueError(
                f"turns must be one or more angles of at most {MOST_DEGREES} degrees. Received: {turns!r}"
            )

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Refuse what is no picture of one size."""
        if len(shape) != 4 or None in shape[1:]:
            raise ValueError(
                f"Views takes pictures (n, height, width, channels) of one size. Received: {shape}"
            )

    def call(self, pictures: Any, training: bool | None = None) -> Any:
        if training:
            return pictures
        height, width, channels = pictures.shape[1:]
        views, slopes = len(self.turns), [math.tan(math.radians(turn)) for turn in self.turns]
        by_row = shear(slopes, height)
        by_column = shear([-slope for slope in slopes], width)
        rows = ops.reshape(ops.transpose(pictures, (0, 3, 2, 1)), (-1, 1, width, height))
        moved = ops.depthwise_conv(rows, by_row[None], padding="same", data_format="channels_last")
        moved = ops.transpose(ops.reshape(moved, (-1, width, height, views)), (0, 2, 1, 3))
        columns = ops.reshape(moved, (-1, 1, height, width * views))
        each = by_column.reshape(1, -1, width * views, 1)
        moved = ops.depthwise_conv(columns, each, padding="same", data_format="channels_last")
        apart = ops.reshape(moved, (-1, channels, height, width, views))
        return ops.reshape(ops.transpose(apart, (0, 4, 2, 3, 1)), (-1, height, width, channels))

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "turns": list(self.turns)}


@keras.saving.register_keras_serializable("workbench")
class MeanOfViews(keras.layers.Layer):
    """The mean of what was made of so many views, ``(n · views, …)`` to ``(n, …)``; while the network learns, nothing.

    Parameters
    ----------
    views
        How many there are of each picture, as many as ``Views`` has turns.
    """

    def __init__(self, views: int = 3, **options: Any) -> None:
        super().__init__(**options)
        if views < 1:
            raise ValueError(f"views must be 1 or more. Received: {views!r}")
        self.views = int(views)

    def call(self, answers: Any, training: bool | None = None) -> Any:
        if training:
            return answers
        return ops.mean(ops.reshape(answers, (-1, self.views, *answers.shape[1:])), axis=1)

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (None, *input_shape[1:])

    def get_config(self) -> dict[str, object]:
        return {**super().get_config(), "views": self.views}


def in_keras_terms(model: keras.Model) -> keras.Model:
    """The model as it answers, with the layers of this module taken apart into Keras' own operations, so that a Keras
    without this package loads it; the model itself where it has none of them, or is of a class of the recipe's own."""
    if not any(isinstance(layer, Views | MeanOfViews) for layer in model.layers):
        return model
    if not type(model).__module__.startswith("keras."):
        return model  # a class of the recipe's own needs its code anyway
    if not isinstance(model, keras.Sequential):
        return keras.models.clone_model(model, clone_function=lambda layer: layer, call_function=_call)
    given = x = keras.Input(model.input_shape[1:], dtype=model.inputs[0].dtype, name=model.inputs[0].name)
    for layer in model.layers:
        x = _call(layer, x)
    return keras.Model(given, x, name=model.name)


def _call(layer: Any, *given: Any, **more: Any) -> Any:
    own = isinstance(layer, Views | MeanOfViews)
    return layer.call(*given) if own else layer(*given, **more)


def shear(slopes: Sequence[float], lines: int) -> np.ndarray:
    """The windows that move each line of a picture by ``slope`` times its distance from the middle, mixing two pixels.

    Two shears, of rows and then of columns, turn a picture by a small angle: what they stretch it by is 1 − cos of it.

    Returns
    -------
    numpy.ndarray
        float32 ``(reach, lines, views)``, an odd reach; its middle is no move.

    Examples
    --------
    >>> shear([0.25], 3)[:, :, 0].tolist()
    [[0.0, 0.0, 0.25], [0.75, 1.0, 0.75], [0.25, 0.0, 0.0]]
    """
    by = np.outer(np.arange(lines) - (lines - 1) / 2, slopes)
    side = math.ceil(float(np.abs(by).max()))
    window = np.zeros((2 * side + 1, *by.shape))
    left = np.floor(by).astype(int)
    line, view = np.indices(by.shape)
    share = by - left
    np.add.at(window, (side - left, line, view), 1 - share)
    np.add.at(window, (np.maximum(side - left - 1, 0), line, view), share)
    return window.astype(np.float32)
