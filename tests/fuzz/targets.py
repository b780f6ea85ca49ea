"""What is fed: for each kind of input its valid examples, who reads it, and which errors that may raise."""

import io
import json
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from backend.untrusted import fitting
from backend.untrusted.model_files import ModelFiles
from workbench import artifact, events, recipes
from workbench.errors import BadInput, ModelRefused, NotFetched, RecipeError, UrlRefused
from workbench.fetching import Fetcher
from workbench.manifest import write_listing as rewrite
from workbench.pictures import decoders, ink
from workbench.settings import from_environment
from workbench.verbs import recipes as verbs_recipes

MAX_UNPACKED = 1_000_000


@dataclass(frozen=True)
class Target:
    """One reader.

    Attributes
    ----------
    feed
        Reads one input, and asserts what must hold of what it gives.
    allowed
        What it says that it raises.
    """

    name: str
    examples: tuple[bytes, ...]
    feed: Callable[[bytes], object]
    allowed: tuple[type[Exception], ...]


def _pictures() -> tuple[bytes, ...]:
    grey = np.full((40, 30), 255, np.uint8)
    cv2.line(grey, (8, 5), (20, 33), 0, 3)
    alpha = np.dstack([grey, grey, grey, 255 - grey])
    made = [(ending, grey) for ending in (".png", ".jpg", ".webp", ".bmp", ".tiff", ".pgm")]
    made += [(".png", alpha), (".png", np.dstack([grey] * 3)), (".jpg", np.dstack([grey] * 3))]
    small = [cv2.imencode(ending, picture)[1].tobytes() for ending, picture in made]
    gif = b"GIF89a\x02\x00\x02\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x00\x00\x00\x00\x00,\x00\x00\x00\x00\x02\x00\x02\x00\x00\x02\x02L\x01\x00;"
    return (*small, gif)


def _feed_picture(data: bytes) -> None:
    seen = ink.fit(ink.decode(data))
    assert seen is None or (seen.shape == (28, 28) and np.isfinite(seen).all())


def _feed_data_url(data: bytes) -> None:
    assert isinstance(decoders.from_data_url(data), bytes)


def _zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def _version() -> bytes:
    """A version of ours, as far as a zip without a real model can be one."""
    with tempfile.TemporaryDirectory() as folder:
        version = Path(folder) / "version"
        version.mkdir()
        (version / "model.onnx").write_bytes(b"\x08\x07" + b"onnx" * 10)
        manifest = {"name": "mnist", "version": 1, "labels": list("0123456789"), "preprocessing": "mnist"}
        rewrite(version, manifest)
        return artifact.pack(version, Path(folder) / "version.zip").read_bytes()


def _feed_zip(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "inside" / "target"
        target.parent.mkdir()
        try:
            artifact.unpack(io.BytesIO(data), target, max_bytes=MAX_UNPACKED)
            artifact.verify(target)
        finally:
            outside = [p for p in Path(folder).rglob("*") if not p.is_relative_to(target.parent)]
            assert outside == []
            assert sum(p.stat().st_size for p in target.rglob("*") if p.is_file()) <= MAX_UNPACKED


def _feed_model(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        files = ModelFiles(Path(folder))
        with files.receiving() as path:
            path.write_bytes(data)
            files.keep(path)


def _events() -> tuple[bytes, ...]:
    kinds = (
        events.Phase(1.0, "chief", 0, "training"),
        events.Log(2.0, "worker", 1, "said 'ü'"),
        events.Error(3.0, "ps", 0, "it broke", "training", 3, "Traceback …"),
    )
    metric = b'{"t": 4.0, "role": "worker", "index": 0, "kind": "metric", "step": 3, "of": 9, "loss": 0.5, "accuracy": 0.9}\n'
    return (*map(events.dump, kinds), metric)


def _feed_event(data: bytes) -> None:
    event = events.parse(data)
    if event is not None:
        assert events.parse(events.dump(event)) == event, "what was read can be written and read again"


def _feed_events(data: bytes) -> None:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        offset = 0
        while True:
            _, end = events.read(Path(file.name), offset)
            assert offset <= end <= len(data)
            if end == offset:
                return
            offset = end


def _notebook() -> bytes:
    cells = [
        {"cell_type": "code", "metadata": {"tags": [field]}, "source": [code], "outputs": [], "execution_count": None}
        for field, code in (("preprocessing", "def load_data():\n    return 1, 2\n"), ("training", "def build_model():\n    return 1\n"))
    ]  # fmt: skip
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}).encode()


def _feed_notebook(data: bytes) -> None:
    recipes.check(recipes.read_notebook(data, "damaged.ipynb"))


def _feed_upload(data: bytes) -> None:
    with tempfile.TemporaryDirectory() as home:
        settings = replace(from_environment({}), home=Path(home))
        recipes.check(verbs_recipes.read_upload({"recipe.zip": data}, settings))


def _feed_size(data: bytes) -> None:
    size = fitting.read_size(data.decode("utf-8", "surrogateescape"))
    assert size is None or (len(size) == 3 and all(side > 0 for side in size) and size[2] in (1, 3))


def _feed_url(data: bytes) -> None:
    def connect(address: str, port: int, timeout_s: float) -> object:
        raise AssertionError(f"connects to {address}:{port}")

    fetcher = Fetcher(resolve=lambda host, port: ["127.0.0.1"], connect=connect)  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        fetcher.fetch(data.decode("utf-8", "surrogateescape"), Path(folder) / "it", max_bytes=10, timeout_s=1)


def targets() -> tuple[Target, ...]:
    """All of them."""
    picture = _pictures()
    recipe = {f"{field}.py": b"x = 1\n" for field in ("preprocessing", "training", "helpers")}
    zips = (_version(), _zip(), _zip(a=b"x" * 100, b__c=b"{}"), _zip(**{"manifest.json": b"{}"}))
    models = (*zips, _zip(deep__saved_model__1__saved_model=b"\x08\x01"), b"\x08\x07onnx", b"\x89HDF\r\n\x1a\n", _zip(**{"config.json": b"{}", "metadata.json": b"{}"}))  # fmt: skip
    urls = (b"http://example.org/a.png", b"https://user:word@[::ffff:10.0.0.1]:8443/x?y#z", b"http://0177.0.0.1/", "http://bücher.example/ü".encode())  # fmt: skip
    data_urls = tuple(f"data:image/png;base64,{text}".encode() for text in ("iVBORw0KGgo=", "AA+/AA==", ""))
    return (
        Target("pictures", picture, _feed_picture, (BadInput,)),
        Target("data URLs", data_urls, _feed_data_url, (BadInput,)),
        Target("zips of versions", zips, _feed_zip, (ModelRefused,)),
        Target("files of models", models, _feed_model, (ModelRefused,)),
        Target("events", _events(), _feed_event, ()),
        Target("files of events", (b"".join(_events()) * 3,), _feed_events, ()),
        Target("notebooks", (_notebook(),), _feed_notebook, (BadInput, RecipeError)),
        Target("uploads of recipes", (_zip(**recipe),), _feed_upload, (BadInput, RecipeError)),
        Target("imageSize", (b"28x28x1", b"32X32x3", b" 28 x 28 x 1 "), _feed_size, (BadInput,)),
        Target("URLs", urls, _feed_url, (UrlRefused, NotFetched)),
    )
