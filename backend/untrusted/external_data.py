"""The files beside an ONNX model that it keeps its weights in: their names, by walking through the model's own bytes.

https://onnx.ai/onnx/repo-docs/ExternalData.html. The package ``onnx`` is not needed for that, and nothing is loaded:
only the lengths of fields are looked at, so that a model of a gigabyte is walked through at once.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from workbench.errors import ModelRefused

MAX_DEPTH = 60
_CHILDREN: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}
"""The fields, by their numbers in onnx.proto, through which a message leads to tensors."""
_KEY, _VALUE = 1, 2
_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


def beside(model: Path) -> list[Path]:
    """The files that the model names, each there and within its folder.

    Raises
    ------
    ModelRefused
        One is not there, or leads out of the folder.
    """
    folder = model.parent.resolve()
    found = []
    for name in sorted(locations(model)):
        path = PurePosixPath(name.replace("\\", "/"))
        place = folder.joinpath(*path.parts)
        if (
            path.is_absolute()
            or ".." in path.parts
            or ":" in name
            or not place.resolve().is_relative_to(folder)
        ):
            raise ModelRefused(f"the ONNX model keeps weights in a file outside of its folder: {name[:80]!r}")
        if not place.is_file() or place.resolve() == model.resolve():
            raise ModelRefused(
                f"the ONNX model keeps its weights in a file beside it, {name[:80]!r}, which did not come with it: "
                "put both into one zip"
            )
        found.append(place)
    return found


def locations(model: Path) -> set[str]:
    """Names of the files that the model's tensors are in, as it writes them; none of what is no ONNX model."""
    with model.open("rb") as file:
        if not model.stat().st_size:
            return set()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            try:
                return set(_walk(data, 0, len(data), "model", 0))
            except (IndexError, UnicodeDecodeError, ValueError):  # damaged: whoever loads it says so
                return set()


def _walk(data: mmap.mmap, at: int, end: int, kind: str, depth: int) -> Iterator[str]:
    if depth > MAX_DEPTH:
        raise ModelRefused(f"the ONNX model has graphs in graphs, more than {MAX_DEPTH} deep")
    if kind == "entry":
        fields = {number: data[start:stop] for number, start, stop in _fields(data, at, end)}
        if fields.get(_KEY) == b"location":
            yield fields.get(_VALUE, b"").decode()
        return
    children = _CHILDREN[kind]
    for number, start, stop in _fields(data, at, end):
        if number in children:
            yield from _walk(data, start, stop, children[number], depth + 1)


def _fields(data: mmap.mmap, at: int, end: int) -> Iterator[tuple[int, int, int]]:
    """Number, begin and end of each field that has a length."""
    while at < end:
        tag, at = _varint(data, at)
        number, wire = tag >> 3, tag & 7
        if wire == _BYTES:
            length, at = _varint(data, at)
            if at + length > end:
                raise ValueError("a field is longer than its message")
            yield number, at, at + length
            at += length
        elif wire == _VARINT:
            _, at = _varint(data, at)
        elif wire in (_FIXED32, _FIXED64):
            at += 4 if wire == _FIXED32 else 8
        else:
            raise ValueError(f"there is no wire type {wire}")


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number has more than ten bytes")
