"""The nodes and weights of an ONNX model, read from its own bytes, and the same model with more outputs.

The package ``onnx`` is not on the machine that serves. Field numbers are those of onnx.proto
(https://github.com/onnx/onnx/blob/main/onnx/onnx.proto).
"""

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from workbench.errors import BadInput

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_GRAPH, _NODE, _INITIALIZER, _INPUT, _OUTPUT = 7, 1, 5, 11, 12
_FLOAT, _DOUBLE = 1, 11
Field = tuple[int, int | memoryview]


@dataclass(frozen=True)
class Weight:
    """A tensor that the model brings along; its values are read when they are asked for."""

    shape: tuple[int, ...]
    kind: int
    raw: memoryview

    def values(self) -> NDArray[np.float32] | None:
        """Give the numbers as float32; ``None`` of another dtype, or where they are kept elsewhere."""
        dtype = {_FLOAT: "<f4", _DOUBLE: "<f8"}.get(self.kind)
        size = int(np.prod(self.shape))
        if dtype is None or len(self.raw) != size * np.dtype(dtype).itemsize:
            return None
        return np.frombuffer(self.raw, dtype).reshape(self.shape).astype(np.float32)


@dataclass(frozen=True)
class Node:
    """One operation."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    numbers: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Attributes that are whole numbers, or several."""
    text: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Graph:
    """A model: its operations in the order in which they are computed."""

    nodes: tuple[Node, ...]
    weights: Mapping[str, Weight]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read(model: bytes) -> Graph:
    """Read a model.

    Raises
    ------
    BadInput
        It is no ONNX model.
    """
    nodes: list[Node] = []
    weights: dict[str, Weight] = {}
    inputs: list[str] = []
    outputs: list[str] = []
    try:
        for number, graph in _fields(memoryview(model)):
            if number != _GRAPH or isinstance(graph, int):
                continue
            for part, value in _fields(graph):
                if isinstance(value, int):
                    continue
                if part == _NODE:
                    node, constant = _node(value)
                    nodes.append(node)
                    if constant is not None:
                        weights[node.outputs[0]] = constant
                elif part == _INITIALIZER:
                    name, weight = _tensor(value)
                    weights[name] = weight
                elif part in (_INPUT, _OUTPUT):
                    (inputs if part == _INPUT else outputs).append(_text(value, 1))
    except (IndexError, ValueError, struct.error) as error:
        raise BadInput(f"the ONNX model cannot be read: {error}") from error
    return Graph(tuple(nodes), weights, tuple(i for i in inputs if i not in weights), tuple(outputs))


def with_outputs(model: bytes, names: Sequence[str]) -> bytes:
    """Give the model with more of its tensors named as outputs.

    A message that follows another of the same field is merged into it, its repeated fields appended:
    https://protobuf.dev/programming-guides/encoding/#last-one-wins.
    """
    graph = b"".join(_message(_OUTPUT, _message(1, name.encode())) for name in names)
    return model + _message(_GRAPH, graph)


def _message(number: int, content: bytes) -> bytes:
    return _as_varint(number << 3 | _BYTES) + _as_varint(len(content)) + content


def _node(data: memoryview) -> tuple[Node, Weight | None]:
    inputs: list[str] = []
    outputs: list[str] = []
    numbers: dict[str, tuple[int, ...]] = {}
    texts: dict[str, str] = {}
    name = op = ""
    constant = None
    for number, value in _fields(data):
        if isinstance(value, int):
            continue
        if number == 1:
            inputs.append(str(value, "utf-8"))
        elif number == 2:
            outputs.append(str(value, "utf-8"))
        elif number == 3:
            name = str(value, "utf-8")
        elif number == 4:
            op = str(value, "utf-8")
        elif number == 5:
            key, whole, text, tensor = _attribute(value)
            if whole:
                numbers[key] = whole
            if text is not None:
                texts[key] = text
            if tensor is not None and key == "value":
                constant = tensor
    return Node(
        op, name, tuple(inputs), tuple(outputs), numbers, texts
    ), constant if op == "Constant" else None


def _attribute(data: memoryview) -> tuple[str, tuple[int, ...], str | None, Weight | None]:
    name, text, tensor = "", None, None
    whole: list[int] = []
    for number, value in _fields(data):
        if number == 1 and not isinstance(value, int):
            name = str(value, "utf-8")
        elif number in (3, 8):
            whole += [_signed(value)] if isinstance(value, int) else map(_signed, _packed(value))
        elif number == 4 and not isinstance(value, int):
            text = str(value, "utf-8", "replace")
        elif number == 5 and not isinstance(value, int):
            tensor = _tensor(value)[1]
    return name, tuple(whole), text, tensor


def _tensor(data: memoryview) -> tuple[str, Weight]:
    shape: list[int] = []
    kind, name, raw = 0, "", memoryview(b"")
    for number, value in _fields(data):
        if number == 1:
            shape += [value] if isinstance(value, int) else _packed(value)
        elif number == 2 and isinstance(value, int):
            kind = value
        elif isinstance(value, int):
            continue
        elif number == 8:
            name = str(value, "utf-8")
        elif number == 9 or (number == 4 and not raw):  # packed floats lie as raw ones do
            raw = value
    return name, Weight(tuple(shape), kind, raw)


def _text(data: memoryview, wanted: int) -> str:
    return next((str(v, "utf-8") for n, v in _fields(data) if n == wanted and not isinstance(v, int)), "")


def _fields(data: memoryview) -> Iterator[Field]:
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _BYTES:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise ValueError("a field is longer than its message")
            yield number, data[at : at + length]
            at += length
        elif wire == _VARINT:
            value, at = _varint(data, at)
            yield number, value
        elif wire in (_FIXED32, _FIXED64):
            at += 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"there is no wire type {wire}")


def _packed(data: memoryview) -> list[int]:
    found, at = [], 0
    while at < len(data):
        value, at = _varint(data, at)
        found.append(value)
    return found


def _signed(value: int) -> int:
    return value - (1 << 64) if value >> 63 else value


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than ten bytes")


def _as_varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)
