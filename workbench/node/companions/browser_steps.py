"""Steps that a browser computes a layer by, for each kind of layer that has such steps.

Steps compute on channels last, as Keras does, one drawing at a time; ``frontend/static/home/network.js`` runs them.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from workbench.layers import MeanOfViews, Views

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


class Steps:
    """Makes a model's steps, layer by layer, and numbers the values that they give."""

    def __init__(self) -> None:
        self._given = 0

    def step(self, op: str, layer: Any, takes: tuple[int, ...], *weights: Any, **how: object) -> Step:
        """The next step of a layer, with a number of its own."""
        self._given += 1
        read = tuple(weight if callable(weight) else _reader(weight) for weight in weights)
        return Step(op, layer.name, takes, self._given, how, read)

    def of(self, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        """The steps that compute a layer, with its activation.

        Raises
        ------
        NotForBrowsers
        """
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


_Maker = Callable[[Steps, Any, tuple[int, ...]], Iterator[Step]]


def _nothing(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    return iter(())


def _convolve(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.groups != 1:
        raise NotForBrowsers(f"{layer.name} is a convolution in groups")
    how = {"strides": list(layer.strides), "padding": layer.padding, "dilation": list(layer.dilation_rate)}
    bias = [layer.bias] if layer.use_bias else []
    yield steps.step("convolution", layer, takes, layer.kernel, *bias, **how)


def _depthwise(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    how = {"strides": list(layer.strides), "padding": layer.padding, "dilation": list(layer.dilation_rate)}
    bias = [layer.bias] if layer.use_bias else []
    yield steps.step("depthwise", layer, takes, layer.kernel, *bias, **how)


def _dense(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield steps.step("dense", layer, takes, layer.kernel, *([layer.bias] if layer.use_bias else []))


def _pool(op: str) -> _Maker:
    def make(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        how = {"size": list(layer.pool_size), "strides": list(layer.strides), "padding": layer.padding}
        yield steps.step(op, layer, takes, **how)

    return make


def _global(op: str) -> _Maker:
    def make(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        yield steps.step(op, layer, takes, keepdims=bool(layer.keepdims))

    return make


def _normalise(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.axis not in (-1, len(layer.input.shape) - 1):
        raise NotForBrowsers(f"{layer.name} normalises another axis than the last")
    epsilon = layer.epsilon

    def scale() -> np.ndarray:
        gamma = layer.gamma.numpy() if layer.scale else 1.0
        return np.asarray(gamma / np.sqrt(layer.moving_variance.numpy() + epsilon), np.float32)

    def shift() -> np.ndarray:
        beta = layer.beta.numpy() if layer.center else 0.0
        return np.asarray(beta - layer.moving_mean.numpy() * scale(), np.float32)

    yield steps.step("affine", layer, takes, scale, shift)


def _rescale(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    scale, offset = (np.atleast_1d(np.asarray(v, np.float32)) for v in (layer.scale, layer.offset))
    yield steps.step("affine", layer, takes, scale, np.broadcast_to(offset, scale.shape))


def _activate(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    name = layer.activation.__name__
    if name not in ACTIVATIONS:
        raise NotForBrowsers(f"{layer.name} is the activation {name}")
    yield steps.step("activation", layer, takes, kind=name)


def _relu(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    most = None if layer.max_value is None else float(layer.max_value)
    how = {"below": float(layer.negative_slope), "from": float(layer.threshold), "most": most}
    yield steps.step("relu", layer, takes, **how)


def _leaky(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield steps.step(
        "relu", layer, takes, **{"below": float(layer.negative_slope), "from": 0.0, "most": None}
    )


def _softmax(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.axis != -1:
        raise NotForBrowsers(f"{layer.name} is a softmax over another axis than the last")
    yield steps.step("activation", layer, takes, kind="softmax")


def _reshape(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    shape = [int(side) for side in layer.output.shape[1:]]
    yield steps.step("reshape", layer, takes, shape=shape)


def _pad(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield steps.step("pad", layer, takes, by=[list(pair) for pair in layer.padding])


def _look(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield steps.step("views", layer, takes, turns=list(layer.turns))


def _agree(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    yield steps.step("mean of views", layer, takes, views=layer.views)


def _join(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
    if layer.axis not in (-1, len(layer.output.shape) - 1):
        raise NotForBrowsers(f"{layer.name} joins along another axis than the last")
    yield steps.step("join", layer, takes)


def _merge(op: str) -> _Maker:
    def make(steps: Steps, layer: Any, takes: tuple[int, ...]) -> Iterator[Step]:
        if len(takes) < 2:
            raise NotForBrowsers(f"{layer.name} takes more than values")
        shapes = {tuple(one.shape[1:]) for one in layer.input}
        if len(shapes) != 1:
            raise NotForBrowsers(f"{layer.name} puts values of different shapes together")
        yield steps.step(op, layer, takes)

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
