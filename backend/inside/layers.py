"""The layers of a model, found in its ONNX graph: which tensors show them, and the numbers of its convolutions.

Exporters take layers apart and fuse them: a normalisation goes into the convolution before it, a ``Rescaling`` becomes a
product and a sum. What belongs together here is what was computed of one thing alone: a convolution, what shifts and
scales its result, and the activation after it.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from backend.inside.onnx_graph import Graph, Node

MOST_LAYERS = 24
_KINDS = {
    **dict.fromkeys(("Conv", "ConvTranspose", "ConvInteger", "QLinearConv"), "convolution"),
    **dict.fromkeys(("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool", "LpPool"), "pooling"),
    **dict.fromkeys(("MatMul", "Gemm", "MatMulInteger", "QLinearMatMul"), "dense"),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), "recurrent"),
    "Add": "addition",
    "Sum": "addition",
    "Mul": "product",
    "Concat": "joined",
    "Resize": "resizing",
    "Upsample": "resizing",
}
_ACTIVATIONS = {
    *(
        "Relu",
        "LeakyRelu",
        "PRelu",
        "Elu",
        "Selu",
        "Celu",
        "Sigmoid",
        "HardSigmoid",
        "Tanh",
        "Softplus",
        "Softsign",
    ),
    *("Gelu", "Mish", "HardSwish", "Softmax", "LogSoftmax", "ThresholdedRelu", "Clip"),
}
_ELEMENTWISE = {
    *("Add", "Sub", "Mul", "Div", "Pow", "Sqrt", "Exp", "Log", "Neg", "Abs", "Erf", "Reciprocal", "Min", "Max", "Sum"),
    *("BatchNormalization", "InstanceNormalization", "LayerNormalization", "LRN", "Cast", "Identity", "Dropout"),
} | _ACTIVATIONS  # fmt: skip
_PASSING = {
    "Reshape",
    "Transpose",
    "Squeeze",
    "Unsqueeze",
    "Flatten",
    "Identity",
    "Cast",
    "Dropout",
    "Pad",
    "Expand",
}
_ONE_BY_ONE = {"Shape", "Size", "ConstantOfShape", "Range"}
_OPS = re.compile(
    r"(conv\w*|convolution|batchnorm|BiasAdd|Relu\w*|MatMul|ReadVariableOp|merged_input|add(_\d+)?|mul(_\d+)?|sub|"
    r"Cast(_\d+)?|Mean|Softmax|Reshape\w*|M(ax|axPool2d|ean)|\w*Pool\w*|Squeeze\w*|Shape\w*|Sigmoid|Tanh|Elu|x|"
    r"strided_slice|Add|Mul|Sigmoid|concat|Rsqrt|Minimum|Maximum)(__\d+)?(:0)?"
)

_VIEWS = re.compile(r"(^|/)(mean_of_)?views(_\d+)*/")
"""Nodes of ``workbench.layers``: they show a picture turned and make one answer of several, and are no layer to look at."""


@dataclass(frozen=True)
class Kernel:
    """The windows of a convolution over pictures with their numbers.

    Attributes
    ----------
    weights
        ``(filters, channels, height, width)``.
    takes
        The tensor that it looks at.
    """

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    takes: str
    strides: tuple[int, ...]
    pads: tuple[int, ...]
    """Above, left, below, right."""
    dilations: tuple[int, ...]


@dataclass(frozen=True)
class Layer:
    """One layer.

    Attributes
    ----------
    tensor
        What it passes on.
    first
        Whether ``tensor`` has its channels before its rows; ``None`` where that is not known.
    after
        The activation that is within it.
    """

    name: str
    kind: str
    tensor: str
    first: bool | None
    after: str | None = None
    kernel: Kernel | None = None
    source: str | None = None
    """The tensor of numbers that it was computed of."""


@dataclass
class _Known:
    """What is known of a tensor: the layer that it belongs to, and where its channels are."""

    layer: int | None
    first: bool | None


@dataclass
class _Walk:
    layers: list[Layer] = field(default_factory=list)
    tensors: dict[str, _Known] = field(default_factory=dict)
    scopes: dict[str, int] = field(default_factory=dict)


def find(graph: Graph) -> tuple[Layer, ...]:
    """Give the layers in the order in which they are computed, at most :data:`MOST_LAYERS`: the first and the last ones."""
    walk = _Walk()
    for name in graph.inputs:
        walk.tensors[name] = _Known(None, None)
    for node in graph.nodes:
        data = [name for name in node.inputs if name in walk.tensors]
        if data and node.op not in _ONE_BY_ONE:
            _take(walk, graph, node, data)
    found = _named(walk.layers)
    return found if len(found) <= MOST_LAYERS else (*found[: MOST_LAYERS // 2], *found[-MOST_LAYERS // 2 :])


def _take(walk: _Walk, graph: Graph, node: Node, data: list[str]) -> None:
    known = [walk.tensors[name] for name in data]
    of = {one.layer for one in known}
    first = known[0].first
    scope = _scope(node, graph)
    out = node.outputs[0]
    if _VIEWS.search(node.name):
        _pass_views(walk, known[0], out)
    elif node.op in _PASSING:
        walk.tensors[out] = _Known(known[0].layer, _moved(node, first))
    elif node.op in _ELEMENTWISE and len(of) == 1:
        (layer,) = of
        if layer is not None:
            before = walk.layers[layer]
            after = node.op.lower() if node.op in _ACTIVATIONS else None
            same = first == before.first
            walk.layers[layer] = replace(
                before, tensor=out, first=first if same else None, after=after or before.after
            )
        walk.tensors[out] = _Known(layer, first)
    elif scope in walk.scopes and node.op not in ("Conv", "MatMul", "Gemm"):
        layer = walk.scopes[scope]
        walk.layers[layer] = replace(walk.layers[layer], tensor=out, first=first)
        walk.tensors[out] = _Known(layer, first)
    else:
        kind = _KINDS.get(node.op, "activation" if node.op in _ACTIVATIONS else node.op.lower())
        kernel = _kernel(node, graph)
        first = True if kind in ("convolution", "pooling", "resizing") else first
        if kind == "dense":
            first = None
        if scope:
            walk.scopes[scope] = len(walk.layers)
        walk.tensors[out] = _Known(len(walk.layers), first)
        walk.layers.append(Layer(scope, kind, out, first, None, kernel, data[0]))
    for more in node.outputs[1:]:
        if more:
            walk.tensors[more] = walk.tensors[out]


def _pass_views(walk: _Walk, known: _Known, out: str) -> None:
    """Views of the picture belong to no layer; the mean of a layer's answers to them is what that layer gives."""
    walk.tensors[out] = known
    if known.layer is not None:
        walk.layers[known.layer] = replace(walk.layers[known.layer], tensor=out)


def _moved(node: Node, first: bool | None) -> bool | None:
    """Where the channels are after a node that moves values about."""
    if node.op in ("Identity", "Cast", "Dropout", "Pad"):
        return first
    if node.op == "Transpose":
        by = node.numbers.get("perm")
        return False if by == (0, 2, 3, 1) else True if by == (0, 3, 1, 2) else None
    return None


def _kernel(node: Node, graph: Graph) -> Kernel | None:
    """The numbers of a plain convolution over pictures."""
    if node.op != "Conv" or len(node.inputs) < 2 or node.inputs[1] not in graph.weights:
        return None
    weights = graph.weights[node.inputs[1]].values()
    if weights is None or weights.ndim != 4 or node.numbers.get("group", (1,)) != (1,):
        return None
    if node.text.get("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
        return None
    bias = graph.weights.get(node.inputs[2]) if len(node.inputs) > 2 else None
    values = np.zeros(len(weights), np.float32) if bias is None else bias.values()
    if values is None or values.shape != (len(weights),):
        return None
    return Kernel(
        weights,
        values,
        node.inputs[0],
        node.numbers.get("strides", (1, 1)),
        node.numbers.get("pads", (0, 0, 0, 0)),
        node.numbers.get("dilations", (1, 1)),
    )


def _scope(node: Node, graph: Graph) -> str:
    """The name of the layer that a node was made of, by the path that exporters give it; empty where there is none."""
    for path in (node.name, *(name for name in node.inputs if name in graph.weights)):
        parts = path.split("/")
        while len(parts) > 1 and (_OPS.fullmatch(parts[-1]) or "__" in parts[-1]):
            parts.pop()
        if "/" in path and len(parts) < len(path.split("/")):
            return parts[-1]
    return ""


def _named(layers: list[Layer]) -> tuple[Layer, ...]:
    """Number the layers that have no name of their own by their kind, and tell apart those of the same name."""
    counts: dict[str, int] = {}
    taken: set[str] = set()
    found = []
    for layer in layers:
        counts[layer.kind] = counts.get(layer.kind, 0) + 1
        name = layer.name or f"{layer.kind}_{counts[layer.kind]}"
        while name in taken:
            name += "'"
        taken.add(name)
        found.append(replace(layer, name=name))
    return tuple(found)


def rename(layers: tuple[Layer, ...], keras: Mapping[str, list[str]]) -> tuple[Layer, ...]:
    """Give the layers the names that Keras knows them by, kind by kind where there are as many.

    Parameters
    ----------
    keras
        Names by kind, in the order in which the layers are called.
    """
    counts = {kind: sum(layer.kind == kind for layer in layers) for kind in keras}
    names = {kind: iter(keras[kind]) for kind in keras if counts[kind] == len(keras[kind])}
    found = tuple(
        replace(layer, name=next(names[layer.kind])) if layer.kind in names else layer for layer in layers
    )
    return found if len({layer.name for layer in found}) == len(found) else layers
