"""The project's own code as one zip in the bucket, named by its content: what every machine runs."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from workbench.aws.bucket import Bucket
from workbench.settings import PROJECT

PARTS = ("workbench", "backend", "frontend", "notebooks", "recipes", "tools", "pyproject.toml", "uv.lock")
PREFIX = "code/"
_NOT = {"__pycache__", ".ipynb_checkpoints", "node_modules"}
_EPOCH = (2020, 1, 1, 0, 0, 0)


def upload(bucket: Bucket) -> str:
    """Store the code, if it is not there yet; its key, ``code/SHA256.zip``."""
    content = pack()
    key = f"{PREFIX}{hashlib.sha256(content).hexdigest()}.zip"
    if not bucket.has(key):
        bucket.put(key, content)
    return key


@cache
def pack(project: Path = PROJECT) -> bytes:
    """The zip; the same files always give the same bytes."""
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in files(project):
            info = zipfile.ZipInfo(path.relative_to(project).as_posix(), _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (0o755 if path.stat().st_mode & 0o100 else 0o644) << 16
            archive.writestr(info, path.read_bytes())
    return kept.getvalue()


def files(project: Path = PROJECT) -> Iterator[Path]:
    """Every file that goes along, sorted: no caches, nothing hidden, no links."""
    for part in PARTS:
        top = project / part
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            inner = path.relative_to(project).parts
            hidden = any(name in _NOT or name.startswith(".") for name in inner)
            if path.is_file() and not path.is_symlink() and not hidden and path.suffix != ".pyc":
                yield path
