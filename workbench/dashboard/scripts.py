"""The scripts of a page as one file: Voilà asks for about 90 small ones, each only after others have come.

Each is one ``….push([[number], {modules}])`` onto a list that its loader looks at first, so any number of them can
stand in one file before the loader; modules run when they are needed, as ever. Which ones a page needs is in
``page_scripts.txt``, as ``python -m tests.browser.page_scripts`` finds it out. One that is missing, as with another
version of Voilà, is fetched by the loader itself. What no page uses is not among them (``upstream/unneeded_scripts.py``).
"""

import asyncio
import gzip
import hashlib
import re
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path

from jupyter_server.base.handlers import JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web

from workbench.upstream import anywidget, ipywidgets, unneeded_scripts
from workbench.upstream.voila import script_folders

LIST = Path(__file__).parent / "page_scripts.txt"
FOREVER_S = 365 * 24 * 3600
_SOURCE_MAP = re.compile(rb"//# sourceMappingURL=\S*")


class Scripts:
    """The scripts of the list, from where Voilà would take them.

    Parameters
    ----------
    roots
        The folders behind ``static`` and ``labextensions``, in the order in which they are searched.
    """

    def __init__(self, roots: dict[str, Sequence[str]], names: Iterable[str]) -> None:
        self._roots = roots
        self._names = tuple(names)

    @cached_property
    def content(self) -> bytes:
        """All scripts; empty lines where none is there."""
        found = (self._read(name) for name in self._names)
        scripts = [
            anywidget.mend(ipywidgets.mend(_SOURCE_MAP.sub(b"", text))) for text in found if text is not None
        ]
        extensions = self._roots.get("labextensions")
        if extensions and unneeded_scripts.known(extensions):
            scripts.insert(0, unneeded_scripts.INSTEAD.read_bytes())
        return b";\n".join(scripts)

    @cached_property
    def compressed(self) -> bytes:
        """The same, a quarter as large: for a class on one wireless network; made once, not for each visitor."""
        return gzip.compress(self.content, 6)

    @cached_property
    def path(self) -> str:
        """The address below the server's base URL; another one for other content."""
        return f"workbench/scripts/{hashlib.sha256(self.content).hexdigest()[:16]}.js"

    def _read(self, name: str) -> bytes | None:
        kind, _, rest = name.partition("/")
        paths = (Path(root) / rest for root in self._roots[kind])
        return next((path.read_bytes() for path in paths if path.is_file()), None)


def page_scripts(template: str, listed: Path = LIST) -> Scripts:
    """The scripts of our pages."""
    return Scripts(script_folders(template), listed.read_text().split() if listed.exists() else ())


class ScriptsHandler(JupyterHandler):
    """Serves the scripts; a browser keeps them, since other scripts have another address."""

    def initialize(self, scripts: Scripts) -> None:
        self.scripts = scripts

    @web.authenticated
    async def get(self) -> None:
        """The one file."""
        if self.request.path != url_path_join(self.base_url, self.scripts.path):
            raise web.HTTPError(404, "these scripts are not of this server")
        self.set_header("Content-Type", "text/javascript; charset=utf-8")
        self.set_header("Cache-Control", f"private, max-age={FOREVER_S}, immutable")
        self.set_header("Vary", "Accept-Encoding")
        if "gzip" in self.request.headers.get("Accept-Encoding", ""):
            self.set_header("Content-Encoding", "gzip")
            self.finish(await asyncio.to_thread(lambda: self.scripts.compressed))
        else:
            self.finish(self.scripts.content)
