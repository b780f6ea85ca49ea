"""Names of a Keras model's layers, read from ``model.keras`` as JSON, without Keras."""

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

from workbench.artifact import UNREADABLE

MOST_BYTES = 4 * 1024 * 1024
_KIND = {
    "Conv2D": "convolution",
    "Conv1D": "convolution",
    "DepthwiseConv2D": "convolution",
    "Conv2DTranspose": "convolution",
    "MaxPooling2D": "pooling",
    "AveragePooling2D": "pooling",
    "GlobalAveragePooling2D": "pooling",
    "GlobalMaxPooling2D": "pooling",
    "Dense": "dense",
    "Add": "addition",
    "Concatenate": "joined",
}


def read(model: Path) -> dict[str, list[str]]:
    """Names by kind (``convolution``, ``pooling``, ``dense``, …), in the model's own order; empty where there are none."""
    try:
        with zipfile.ZipFile(model) as archive:
            info = archive.getinfo("config.json")
            if info.file_size > MOST_BYTES:
                return {}
            told = json.loads(archive.read(info))
    except (*UNREADABLE, OSError, KeyError, RecursionError):
        return {}
    found: dict[str, list[str]] = {}
    for kind, name in _walk(told, 0):
        found.setdefault(kind, []).append(name)
    return found


def _walk(told: object, depth: int) -> Iterator[tuple[str, str]]:
    if not isinstance(told, dict) or depth > 20:
        return
    config = told.get("config")
    if not isinstance(config, dict):
        return
    kind, name = _KIND.get(str(told.get("class_name"))), config.get("name")
    if kind and isinstance(name, str):
        yield kind, name[:64]
    inner = config.get("layers")
    for layer in inner if isinstance(inner, list) else [config.get("layer")]:
        yield from _walk(layer, depth + 1)
