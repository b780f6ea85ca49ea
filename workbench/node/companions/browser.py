"""A model as a browser computes it: a list of plain steps and their numbers, ``browser.json``.

Steps compute on channels last, as Keras does, one drawing at a time; ``frontend/static/home/network.js`` runs them. What a
model has that is no such step is named instead.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from workbench.artifact import BROWSER
from workbench.layers import MeanOfViews, Views
from workbench.manifest import Input

MOST_NUMBERS = 2_000_000
ACTIVATIONS = (
    *("linear", "relu", "softmax", "sigmoid", "tanh", "elu", "selu", "softplus", "silu", "swish", "gelu"),
    *("relu6", "leaky_relu", "exponential", "hard_sigmoid", "log_softmax", "softsign"),
)


class NotForBrowsers(Exception):
    """A model has something that no step here computes; the message says what."""


@dataclass(frozen=True)
class Step:
    """One step: what it does, of which values, and the numbers it has.

    Attributes
    ----------
    takes, gives
        Numbers of the values that it reads and makes; 0 is the input.
    of
        The layer that it was made of.
    """

    op: str
    of: str
    takes: tuple[int, ...]
    gives: int
    how: Mapping[str, object] = field(default_factory=dict)
    weights: tuple[Callable[[], np.ndarray], ...] = ()


def write(folder: Path, model: keras.Model, takes: Input, told: Mapping[str, object]) -> None:
    """Write ``browser.json`` of a model of pictures: the form, or ``missing``, the reason why there is none.

    Parameters
    ----------
    told
        What else the page is to know, such as the labels.
    """
    if takes.kind != "image":
        return
    try:
        form = {**describe(model, takes), **told}
    except NotForBrowsers as error:
        form = {"format": 1, "missing": str(error)}
    (folder / BROWSER).write_text(json.dumps(form, ensure_ascii=False, separators=(",", ":")))


def describe(model: keras.Model, takes: Input) -> dict[str, object]:
    """Give the input, the steps, and the weights as little-endian float32 in base64.

    Raises
    ------
    NotForBrowsers
        The model has something that no step computes, or it is too large.
    """
    found = steps(model, takes)
    arrays = [weight() for step in found for weight in step.weights]
    total = sum(array.size for array in arrays)
    if total > MOST_NUMBERS:
        raise NotForBrowsers(f"it has {total:,} numbers, more than {MOST_NUMBERS:,}")
    flat = np.concatenate([array.ravel() for array in arrays]) if arrays else np.zeros(0)
    return {
        "format": 1,
        "input": {"shape": list(takes.sizes), "range": list(takes.range)},
        "steps": [as_json(step) for step in found],
        "weights": base64.b64encode(flat.astype("<f4").tobytes()).decode(),
    }


def as_json(step: Step) -> dict[str, object]:
    """The step without its numbers, and their shapes."""
    shapes = [list(weight().shape) for weight in step.weights]
    made: dict[str, object] = {"op": step.op, "of": step.of, "takes": list(step.takes), "gives": step.gives}
    return {**made, **step.how, **({"shapes": shapes} if shapes else {})}


def steps(model: keras.Model, takes: Input) -> list[Step]:
    """The model's steps in the order in which they are computed; the last one gives the answer.

    Raises
    ------
    NotForBrowsers
    """
    if (
        takes.kind != "image"
        or len(takes.sizes) != 3
        or len(model.outputs or ()) != 1
        or len(model.inputs) != 1
    ):
        raise NotForBrowsers("it does not take one picture and give one answer")
    try:
        return list(_Walk().whole(model))
    except NotForBrowsers:
        raise
    except (
        Exception
    ) as error:  # whatever Keras raises of a model that is put together in a way not known here
        raise NotForBrowsers(f"its layers cannot be told one by one: {str(error)[:200]}") from error


class _Walk:
    def __init__(self) -> None:
        self._given = 0

    def whole(self, model: keras.Model) -> Iterator[Step]:
        if isinstance(model, keras.Sequential):
            at = 0
            for layer in model.layers:
                made = list(self.inner(layer, at))
                yield from made
                at = made[-1].gives if made else at
            return
        values: dict[int, int] = {id(model.inputs[0]): 0}
        last = -1
        for operation in model.operations:
            if isinstance(operation, layers.InputLayer):
                continue
            try:
                given, output = operation.input, operation.output
            except AttributeError as error:
                raise NotForBrowsers(f"{operation.name} is used more than once") from error
            given = given if isinstance(given, list | tuple) else [given]
            if isinstance(operation, keras.Model):
                raise NotForBrowsers(f"{operation.name} is a model within the model")
            if any(id(one) not in values for one in given):
                raise NotForBrowsers(f"{operation.name} takes more than values")
            made = list(self.steps_of(operation, tuple(values[id(one)] for one in given)))
            yield from made
            last = made[-1].gives if made else values[id(given[0])]
            values[id(output)] = last
        if values.get(id(model.outputs[0])) != last:
            raise NotForBrowsers("its answer is not what its last layer gives")

    def inner(self, layer: Any, at: int) -> Iterator[Step]:
        if isinstance(layer, keras.Sequential):
            for one in layer.layers:
                made = list(self.inner(one, at))
                yield from made
                at = made[-1].gives if made else at
        elif isinstance(layer, keras.Model):
            raise NotForBrowsers(f"{layer.name} is a model within the model")
        elif not isinstance(layer, layers.InputLayer):
            yield from self.steps_of(layer, (at,))

    def step(self, op: str, layer: Any, takes: tuple[int, ...], *weights: Any, **how: object) -> Step:
        self._given += 1
        read = tuple(weight if callable(weight) else _reader(weight) for weight in weights)
        return Step(op, layer.name, takes, self._given, how, read)

    def steps_of(self, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        kind = type(layer).__name__
        known = type(layer).__module__.startswith("keras.") or isinstance(layer, Views | MeanOfViews)
        make = _MAKERS.get(kind) if known else None
        if make is None:
            raise NotForBrowsers(f"{layer.name} is a layer of the kind {kind}, which no step computes")
        if getattr(layer, "data_format", "channels_last") != "channels_last":
            raise NotForBrowsers(f"{layer.name} has its channels first")
        made = list(make(self, layer, takes))
        yield from made
        activation = getattr(layer, "activation", None) if kind not in ("Activation",) else None
        name = getattr(activation, "__name__", None)
        if activation is not None and name != "linear":
            if name not in ACTIVATIONS:
                raise NotForBrowsers(f"{layer.name} has the activation {name}")
            yield self.step("activation", layer, (made[-1].gives,), kind=name)


def _reader(variable: Any) -> Callable[[], np.ndarray]:
    return lambda: np.asarray(variable.numpy() if hasattr(variable, "numpy") else variable, np.float32)


_Maker = Callable[[_Walk, Any, tuple[int, ...]], Iterator[Step]]


def _nothing(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    return iter(())


def _convolve(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.groups != 1:
        raise NotForBrowsers(f"{layer.name} is a convolution in groups")
    how = {"strides": list(layer.strides), "padding": layer.padding, "dilation": list(layer.dilation_rate)}
    bias = [layer.bias] if layer.use_bias else []
    yield walk.step("convolution", layer, takes, layer.kernel, *bias, **how)


def _depthwise(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    how = {"strides": list(layer.strides), "padding": layer.padding, "dilation": list(layer.dilation_rate)}
    bias = [layer.bias] if layer.use_bias else []
    yield walk.step("depthwise", layer, takes, layer.kernel, *bias, **how)


def _dense(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield walk.step("dense", layer, takes, layer.kernel, *([layer.bias] if layer.use_bias else []))


def _pool(op: str) -> _Maker:
    def make(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        how = {"size": list(layer.pool_size), "strides": list(layer.strides), "padding": layer.padding}
        yield walk.step(op, layer, takes, **how)

    return make


def _global(op: str) -> _Maker:
    def make(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        yield walk.step(op, layer, takes, keepdims=bool(layer.keepdims))

    return make


def _normalise(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.axis not in (-1, len(layer.input.shape) - 1):
        raise NotForBrowsers(f"{layer.name} normalises another axis than the last")
    epsilon = layer.epsilon

    def scale() -> np.ndarray:
        gamma = layer.gamma.numpy() if layer.scale else 1.0
        return np.asarray(gamma / np.sqrt(layer.moving_variance.numpy() + epsilon), np.float32)

    def shift() -> np.ndarray:
        beta = layer.beta.numpy() if layer.center else 0.0
        return np.asarray(beta - layer.moving_mean.numpy() * scale(), np.float32)

    yield walk.step("affine", layer, takes, scale, shift)


def _rescale(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    scale, offset = (np.atleast_1d(np.asarray(v, np.float32)) for v in (layer.scale, layer.offset))
    yield walk.step("affine", layer, takes, scale, np.broadcast_to(offset, scale.shape))


def _activate(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    name = layer.activation.__name__
    if name not in ACTIVATIONS:
        raise NotForBrowsers(f"{layer.name} is the activation {name}")
    yield walk.step("activation", layer, takes, kind=name)


def _relu(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    most = None if layer.max_value is None else float(layer.max_value)
    how = {"below": float(layer.negative_slope), "from": float(layer.threshold), "most": most}
    yield walk.step("relu", layer, takes, **how)


def _leaky(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield walk.step("relu", layer, takes, **{"below": float(layer.negative_slope), "from": 0.0, "most": None})


def _softmax(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.axis != -1:
        raise NotForBrowsers(f"{layer.name} is a softmax over another axis than the last")
    yield walk.step("activation", layer, takes, kind="softmax")


def _reshape(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    shape = [int(side) for side in layer.output.shape[1:]]
    yield walk.step("reshape", layer, takes, shape=shape)


def _pad(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield walk.step("pad", layer, takes, by=[list(pair) for pair in layer.padding])


def _look(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield walk.step("views", layer, takes, turns=list(layer.turns))


def _agree(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield walk.step("mean of views", layer, takes, views=layer.views)


def _join(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.axis not in (-1, len(layer.output.shape) - 1):
        raise NotForBrowsers(f"{layer.name} joins along another axis than the last")
    yield walk.step("join", layer, takes)


def _merge(op: str) -> _Maker:
    def make(walk: _Walk, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        if len(takes) < 2:
            raise NotForBrowsers(f"{layer.name} takes more than values")
        shapes = {tuple(one.shape[1:]) for one in layer.input}
        if len(shapes) != 1:
            raise NotForBrowsers(f"{layer.name} puts values of different shapes together")
        yield walk.step(op, layer, takes)

    return make


_TRAINING_ONLY = (
    *(
        "Dropout",
        "SpatialDropout2D",
        "GaussianNoise",
        "GaussianDropout",
        "AlphaDropout",
        "ActivityRegularization",
    ),
    *(
        "RandomFlip",
        "RandomRotation",
        "RandomTranslation",
        "RandomZoom",
        "RandomContrast",
        "RandomBrightness",
    ),
    "Identity",
)
_MAKERS: dict[str, _Maker] = {
    **dict.fromkeys(_TRAINING_ONLY, _nothing),
    "Conv2D": _convolve,
    "DepthwiseConv2D": _depthwise,
    "Dense": _dense,
    "MaxPooling2D": _pool("largest"),
    "AveragePooling2D": _pool("mean"),
    "GlobalMaxPooling2D": _global("largest of all"),
    "GlobalAveragePooling2D": _global("mean of all"),
    "BatchNormalization": _normalise,
    "Rescaling": _rescale,
    "Activation": _activate,
    "ReLU": _relu,
    "LeakyReLU": _leaky,
    "Softmax": _softmax,
    "Flatten": _reshape,
    "Reshape": _reshape,
    "ZeroPadding2D": _pad,
    "Views": _look,
    "MeanOfViews": _agree,
    "Concatenate": _join,
    "Add": _merge("add"),
    "Multiply": _merge("multiply"),
}
