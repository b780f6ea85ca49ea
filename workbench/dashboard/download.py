"""A version as a zip, or as a page to take home, for whoever has opened the dashboard."""

import asyncio
import contextlib
import tempfile
from pathlib import Path

from jupyter_server.base.handlers import JupyterHandler
from tornado import web
from tornado.iostream import StreamClosedError

from workbench.errors import NotFound, WorkbenchError
from workbench.models import at_home, registry
from workbench.settings import Settings

PIECE = 1024**2
"""Bytes that are sent at a time."""


class Download(JupyterHandler):
    """Packs the version aside and sends it piece by piece; other requests are answered meanwhile."""

    def initialize(self, settings: Settings) -> None:
        self.workbench_settings = settings

    @web.authenticated
    async def get(self, name: str, version: str) -> None:
        """The zip, whole or with an error before its first byte."""
        with tempfile.TemporaryDirectory() as aside:
            path = Path(aside) / "version.zip"
            try:
                found = await asyncio.to_thread(registry.find, f"{name}:{version}", self.workbench_settings)
                await asyncio.to_thread(registry.download, found, path)
            except NotFound as error:
                raise web.HTTPError(404, str(error)) from error
            except WorkbenchError as error:
                raise web.HTTPError(400, str(error)) from error
            self.set_header("Content-Type", "application/zip")
            self.set_header("Content-Length", str(path.stat().st_size))
            self.set_header("Content-Disposition", f'attachment; filename="{name}-{version}.zip"')
            with path.open("rb") as file, contextlib.suppress(StreamClosedError):  # the visitor went away
                while piece := await asyncio.to_thread(file.read, PIECE):
                    self.write(piece)
                    await self.flush()


class TakeHome(JupyterHandler):
    """The version as one page that draws and answers by itself: a file to keep, never a page of this server."""

    def initialize(self, settings: Settings) -> None:
        self.workbench_settings = settings

    @web.authenticated
    async def get(self, name: str, version: str) -> None:
        """The page, or why there is none."""
        try:
            found = await asyncio.to_thread(registry.find, f"{name}:{version}", self.workbench_settings)
            page = await asyncio.to_thread(at_home.page, found)
        except NotFound as error:
            raise web.HTTPError(404, str(error)) from error
        except WorkbenchError as error:
            raise web.HTTPError(400, str(error)) from error
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", "sandbox")
        self.set_header("Content-Disposition", f'attachment; filename="{name}-{version}.html"')
        self.finish(page)
