"""Voilà's style sheets and scripts a quarter as large: compressed once, not for each visitor as the server would do it."""

import gzip
import mimetypes
import os
import re
import tempfile
from functools import cache, lru_cache
from pathlib import Path

from jupyter_server.base.handlers import FileFindHandler
from tornado import web

from workbench.upstream.voila import TemplateFiles

WORTH_IT = {".css", ".js", ".json", ".svg"}
HASHED = re.compile(r"\.[0-9a-f]{8,}\.js$")
"""Webpack's names for scripts: other content has another name."""
FOREVER_S = 365 * 24 * 3600


class Compressed(web.StaticFileHandler):
    """Gives a compressed copy of the file to whoever takes one."""

    _type = ""

    def validate_absolute_path(self, root: str, absolute_path: str) -> str | None:
        """The path of the file, or of its copy."""
        path = super().validate_absolute_path(root, absolute_path)
        if path is None or Path(path).suffix not in WORTH_IT:
            return path
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" not in self.request.headers.get("Accept-Encoding", ""):
            return path
        self._type = mimetypes.guess_type(path)[0] or "application/octet-stream"
        self.set_header("Content-Encoding", "gzip")
        return copy(path, Path(path).stat().st_mtime_ns)

    def get_content_type(self) -> str:
        """That of the file, not of its copy."""
        return self._type or super().get_content_type()

    def get_content_size(self) -> int:
        """That of what is sent."""
        assert self.absolute_path
        return Path(self.absolute_path).stat().st_size


class CompressedTemplateFiles(Compressed, TemplateFiles):
    """The files of templates."""


class ExtensionFiles(Compressed, FileFindHandler):
    """The scripts of widgets; a browser keeps those whose name tells their content."""

    def set_headers(self) -> None:
        """Those of any file."""
        super().set_headers()
        if HASHED.search(self.request.path):
            self.set_header("Cache-Control", f"private, max-age={FOREVER_S}, immutable")


@lru_cache(maxsize=500)
def copy(path: str, changed: int) -> str:
    """A compressed copy of the file as it is since ``changed``, of the same time; made at the first call."""
    made = Path(_folder().name) / f"{copy.cache_info().misses}.gz"
    made.write_bytes(gzip.compress(Path(path).read_bytes(), 6, mtime=0))
    os.utime(made, ns=(changed, changed))
    return str(made)


@cache
def _folder() -> "tempfile.TemporaryDirectory[str]":
    """Gone with the server."""
    return tempfile.TemporaryDirectory(prefix="compressed-")
