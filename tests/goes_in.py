"""What goes in, tried: pictures, models that are brought along, and notebooks, as a table for the docs.

``python -m tests.goes_in`` writes it into ``docs/inputs.md``; a test fails where the page says otherwise.
"""

import io
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from onnx import helper
from PIL import Image

from backend.tfserving import server
from backend.untrusted.fitting import How, fit
from backend.untrusted.meaning import read_verdict
from backend.untrusted.model_files import ModelFiles
from tests.backend import bright, making
from tests.fuzz.made import models, notebooks, pictures
from workbench import recipes, scores
from workbench.errors import WorkbenchError
from workbench.pictures import ink
from workbench.settings import PROJECT

PAGE = PROJECT / "docs" / "inputs.md"
BEGIN, END = "<!-- inputs: made by python -m tests.goes_in -->", "<!-- end of inputs -->"
YES, NO = "yes", "–"


def written() -> str:
    """All tables."""
    return "\n\n".join((_pictures(), _models(), _notebooks()))


def on_page() -> str:
    """What the page says."""
    return PAGE.read_text().partition(BEGIN)[2].partition(END)[0].strip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def _tried(attempt: Callable[[], object]) -> str:
    try:
        return YES if attempt() else "read otherwise"
    except WorkbenchError:
        return NO


# ── pictures ─────────────────────────────────────────────────────────────────────────────────────

FORMATS = {
    "PNG": "PNG",
    "JPEG": "JPEG",
    "GIF": "GIF",
    "WebP": "WebP",
    "BMP": "BMP",
    "TIFF": "TIFF",
    "AVIF": "AVIF",
    "HEIC": "HEIF",
}


def _pictures() -> str:
    import pillow_heif

    pillow_heif.register_heif_opener()
    sheet = making.seven(160, 20)
    seen = ink.fit(sheet)
    assert seen is not None
    grey = Image.fromarray(255 - sheet)
    colour = Image.fromarray(np.dstack([255 - sheet // 2, 255 - sheet, np.full_like(sheet, 200)]))
    clear = Image.fromarray(np.dstack([np.zeros((*sheet.shape, 3), np.uint8), sheet]))
    exif = Image.Exif()
    exif[0x0112] = 6
    lying = grey.convert("RGB").transpose(Image.Transpose.ROTATE_90)
    deep = (255 - sheet).astype(np.uint16) * 257
    kinds: dict[str, Callable[[str], bytes]] = {
        "grey": lambda to: _save(grey, to),
        "colours": lambda to: _save(colour, to),
        "ink on nothing": lambda to: _save(clear, to),
        "a palette": lambda to: _save(colour.quantize(16), to),
        "four inks": lambda to: _save(grey.convert("RGB").convert("CMYK"), to),
        "16 bits": lambda to: cv2.imencode({"PNG": ".png", "TIFF": ".tiff"}[to], deep)[1].tobytes(),
        "lying, by Exif": lambda to: _save(lying, to, exif=exif.tobytes()),
        "bytes behind its end": lambda to: _save(grey, to) + bytes(20) + b"ftypmp42",
    }

    def cell(make: Callable[[str], bytes], to: str) -> str:
        try:
            data = make(to)
        except Exception:  # the format has no such pictures, or nobody here can write them
            return ""
        return _tried(lambda: _is_same(data, seen))

    rows = [[name, *(cell(make, to) for to in FORMATS.values())] for name, make in kinds.items()]
    return _table(["picture", *FORMATS], rows)


def _is_same(data: bytes, seen: NDArray[Any]) -> bool:
    found = ink.fit(ink.decode(data))
    return found is not None and float(np.abs(found.astype(int) - seen).mean()) < pictures.SAME


def _save(image: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, kind, **options)
    data = file.getvalue()
    with Image.open(io.BytesIO(data)) as again:
        again.load()
        if image.mode in ("P", "CMYK") and again.mode != image.mode:
            raise ValueError("the format keeps it as something else")
        if "A" in image.mode and not again.has_transparency_data:
            raise ValueError("the format has no transparency")
        if "exif" in options and again.getexif().get(0x0112) != 6:
            raise ValueError("the format has no Exif")
    return data


# ── models ───────────────────────────────────────────────────────────────────────────────────────

SHAPES: dict[str, tuple[str, list[Any]]] = {
    "n×h×w×c": ("NHWC", ["n", 20, 24, 3]),
    "n×c×h×w": ("NCHW", ["n", 3, 20, 24]),
    "n×h×w": ("NHW", ["n", 20, 24]),
    "h×w×c": ("HWC", [20, 24, 3]),
    "2×c×h×w": ("NCHW", [2, 3, 20, 24]),
    "any h and w": ("NHWC", ["n", "h", "w", 3]),
}
OUTPUTS = ("Softmax", "logits", "Sigmoid", "one sigmoid", "one logit")


def _models() -> str:
    rows = []
    for dtype in sorted(set(models.DTYPES), key=lambda name: (name[0] != "f", name)):
        rows.append(
            [
                dtype,
                *(_tried(partial(_is_understood, dtype, axes, shape)) for axes, shape in SHAPES.values()),
            ]
        )
    outputs = [[kind, _meaning(kind)] for kind in OUTPUTS]
    return _table(["ONNX, takes", *SHAPES], rows) + "\n\n" + _table(["outputs", "are told to be"], outputs)


def _is_understood(dtype: str, axes: str, shape: list[Any], kind: str = "Softmax") -> bool:
    return _ask(dtype, axes, shape, kind) == ([0, 1 if kind.startswith("one") else 3], "")


def _ask(dtype: str, axes: str, shape: list[Any], kind: str) -> tuple[list[int | None], str]:
    graph = models._graph(random.Random(0), shape, axes, dtype, kind, 4, "float32", "")
    data = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9
    ).SerializeToString()
    with tempfile.TemporaryDirectory() as folder:
        files = ModelFiles(Path(folder))
        with files.receiving() as path:
            path.write_bytes(data)
            file = files.keep(path)
        loaded = server.load("onnx", file.folder / "model" / file.path)
    said: list[int | None] = []
    for light in (15, 240):
        how = How((24, 20, 3 if "C" in axes else 1))
        fitted = fit(bright.picture(light), loaded.signatures, None, how)
        outputs = loaded.run(fitted.signature, fitted.inputs)
        verdict = read_verdict(
            outputs, ("output",), fitted.batch, "", (), lambda _, row: scores.measure(row[None])
        )
        said.append(verdict.index)
    return said, ""


def _meaning(kind: str) -> str:
    factors, offsets, ends = bright.weights(
        {"Softmax": "softmax", "Sigmoid": "sigmoids", "one sigmoid": "sigmoid", "one logit": "logit"}.get(
            kind, kind
        ),
        4,
    )
    z = np.linspace(0, 1, 50)[:, None] @ factors + offsets
    odds = np.exp(z - z.max(1, keepdims=True))
    outputs = {"Softmax": odds / odds.sum(1, keepdims=True), "Sigmoid": 1 / (1 + np.exp(-z))}.get(ends, z)
    told = scores.measure(outputs)
    classes = scores.probabilities(outputs, told).shape[1]
    return f"{told}, {classes} classes"


# ── notebooks ────────────────────────────────────────────────────────────────────────────────────


def _notebooks() -> str:
    def notebook(code: str, *, lines: bool = False, minor: int = 5) -> dict[str, Any]:
        fields = {
            "preprocessing": "def load_data():\n    return 1, 2\n",
            "training": "def build_model():\n    return 1\n" + code,
        }
        cells = [
            {
                "cell_type": "code",
                "metadata": {"tags": [name]},
                "outputs": [],
                "execution_count": None,
                "source": text.splitlines(True) if lines else text,
            }
            for name, text in fields.items()
        ]
        return {"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": minor}

    def read(data: bytes) -> bool:
        recipe = recipes.read_notebook(data, "it.ipynb")
        recipes.check(recipe)
        return "def build_model()" in recipe.training

    old = {"worksheets": [{"cells": []}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0}
    plain = json.dumps(notebook("x = 1"))
    tried = {
        "format 4.0 to 4.5, source as a text or as lines": all(
            read(json.dumps(notebook("x = 1", lines=lines, minor=minor)).encode())
            for lines in (True, False)
            for minor in range(6)
        )
        and YES,
        "with a byte order mark, or in UTF-16": _tried(
            lambda: read(plain.encode("utf-8-sig")) and read(plain.encode("utf-16"))
        ),
        "Windows' and old Macs' line ends": _tried(
            lambda: all(read(plain.replace("\\n", ends).encode()) for ends in ("\\r\\n", "\\r"))
        ),
        **{
            f"`{magic.splitlines()[0]}` in a tagged cell": _tried(
                partial(read, json.dumps(notebook(magic)).encode())
            )
            for magic in notebooks.MAGICS[:5]
        },
        "format 3, from before 2015": _tried(lambda: read(json.dumps(old).encode())),
    }
    return _table(["notebook", "goes in"], [[name, str(said)] for name, said in tried.items()])


def main() -> None:
    before, _, rest = PAGE.read_text().partition(BEGIN)
    PAGE.write_text(f"{before}{BEGIN}\n\n{written()}\n\n{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    main()
