"""The project's own code as one zip in the bucket, named by its content: what every machine runs."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from workbench.aws.bucket import Bucket
from workbench.settings import CARRIED, CODE, PROJECT

PACKAGES = ("workbench", "backend")
BESIDE = ("frontend", "notebooks", "recipes", "tools", "pyproject.toml", "uv.lock")
"""What lies beside the packages in a checkout, and in a folder of its own in a wheel."""
PREFIX = "code/"
_NOT = {"__pycache__", ".ipynb_checkpoints", "node_modules", CARRIED}
_EPOCH = (2020, 1, 1, 0, 0, 0)


def upload(bucket: Bucket) -> str:
    """Store the code, if it is not there yet; its key, ``code/SHA256.zip``."""
    name = key()
    if not bucket.has(name):
        bucket.put(name, pack())
    return name


@cache
def key() -> str:
    """The key under which today's code is stored; asks nobody."""
    return f"{PREFIX}{hashlib.sha256(pack()).hexdigest()}.zip"


@cache
def pack(code: Path = CODE, beside: Path = PROJECT) -> bytes:
    """The zip, always laid out as a checkout is; the same files always give the same bytes."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, path in files(code, beside):
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(info, path.read_bytes())
    return kept.getvalue()


def files(code: Path = CODE, beside: Path = PROJECT) -> Iterator[tuple[str, Path]]:
    """Every file that goes along, by its name in the zip: no caches, nothing hidden, no links."""
    for part in (*PACKAGES, *BESIDE):
        folder = code if part in PACKAGES else beside
        top = folder / part
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            inner = path.relative_to(folder).parts
            hidden = any(name in _NOT or name.startswith(".") for name in inner)
            if path.is_file() and not path.is_symlink() and not hidden and path.suffix != ".pyc":
                yield "/".join(inner), path
