"""An index of packages in a folder: wheels made here, so that nothing is fetched from anywhere."""

import base64
import hashlib
import zipfile
from collections.abc import Iterable
from pathlib import Path

import pytest


def wheel(folder: Path, name: str, version: str, code: str, needs: Iterable[str] = ()) -> Path:
    """Make a wheel with one module, byte for byte the same each time."""
    info = f"{name}-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n" + "".join(
        f"Requires-Dist: {need}\n" for need in needs
    )
    files = {
        f"{name}.py": code,
        f"{info}/METADATA": metadata,
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for inner, text in files.items():
            archive.writestr(zipfile.ZipInfo(inner), text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{inner},sha256={digest},{len(text)}\n")
        archive.writestr(zipfile.ZipInfo(f"{info}/RECORD"), "".join(rows) + f"{info}/RECORD,,\n")
    return path


def index(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make an index of two packages, one of which needs the other, and have uv look there alone."""
    for name, value in environment(folder).items():
        monkeypatch.setenv(name, value)
    return folder / "wheels"


def environment(folder: Path) -> dict[str, str]:
    """Make an index of two packages; the variables by which uv looks there alone."""
    wheels, simple = folder / "wheels", folder / "simple"
    for path in (wheels, simple):
        path.mkdir(parents=True)
    wheel(wheels, "tiny_base", "1.0", "SCALE = 2.0\n")
    wheel(wheels, "tiny_rows", "1.1", "from tiny_base import SCALE\n\nROWS = 80\n", ["tiny-base>=1"])
    wheel(
        wheels, "tiny_rows", "1.2", "from tiny_base import SCALE\n\nROWS = 90\n", ["tiny-base>=1", "numpy<1"]
    )
    return {
        "UV_FIND_LINKS": str(wheels),
        "UV_DEFAULT_INDEX": simple.as_uri(),
        "UV_CACHE_DIR": str(folder / "cache"),
    }
