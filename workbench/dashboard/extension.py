"""The routes: the landing page, what it polls, and our Voilà pages with prepared kernels."""

import asyncio
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from jupyter_server.base.handlers import APIHandler, FileFindHandler, JupyterHandler
from jupyter_server.utils import url_path_join
from tornado import web
from tornado.httputil import HTTPServerRequest
from tornado.ioloop import IOLoop

from workbench.dashboard.addresses import without_token
from workbench.dashboard.catalogue import existing
from workbench.dashboard.compressed import CompressedTemplateFiles, ExtensionFiles
from workbench.dashboard.download import Download, TakeHome
from workbench.dashboard.kernels import PageKernels
from workbench.dashboard.overview import OverviewReader
from workbench.dashboard.pages import SCRIPTS
from workbench.dashboard.scripts import ScriptsHandler, page_scripts
from workbench.dashboard.visits import PageHandler
from workbench.settings import from_environment
from workbench.upstream.jupyter_server import redirect_tokens
from workbench.upstream.voila import VoilaSite, script_folders

HERE = Path(__file__).parent
VERSION = int((HERE / "static" / "landing.js").stat().st_mtime)
"""So that a browser takes no old one."""


def load(server: Any) -> None:
    """Add our routes and Voilà's to the Jupyter server, and begin to prepare kernels."""
    site = VoilaSite.on(server)
    overview = OverviewReader(from_environment())
    scripts = page_scripts(site.configuration.template)
    server.web_app.settings[SCRIPTS] = scripts.path
    extensions = {
        "path": script_folders(site.configuration.template)["labextensions"],
        "no_cache_paths": ["/"],
    }
    own = url_path_join(server.base_url, "workbench")
    server.web_app.add_handlers(
        ".*$",
        [
            (own, Landing, {"overview": overview}),
            (f"{own}/overview", OverviewPoll, {"overview": overview, "kernels": server.kernel_manager}),
            (f"{own}/draw", ToDrawingPage, {"overview": overview}),
            (f"{own}/models/([^/]+)/([0-9]+)\\.zip", Download, {"settings": from_environment()}),
            (f"{own}/models/([^/]+)/([0-9]+)\\.html", TakeHome, {"settings": from_environment()}),
            (f"{own}/static/(.*)", FileFindHandler, {"path": [str(HERE / "static")]}),
            (f"{own}/scripts/.*", ScriptsHandler, {"scripts": scripts}),
            (url_path_join(server.base_url, "voila(?:/tree.*)?"), ToLanding),
            (url_path_join(server.base_url, "voila/templates/(.*)"), CompressedTemplateFiles),
            (url_path_join(server.base_url, "voila/labextensions/(.*)"), ExtensionFiles, extensions),
            # Before Voilà's own handler of this route, which it replaces.
            (url_path_join(server.base_url, "voila/render/(.*)"), PageHandler, site.handler_arguments),
        ],
    )
    site.add_routes()
    redirect_tokens(server, url_path_join(server.base_url, "lab"), WithoutToken)
    IOLoop.current().add_callback(server.kernel_manager.open_pool, site)


class Landing(JupyterHandler):
    """The page that one sees first."""

    def initialize(self, overview: OverviewReader) -> None:
        self.overview = overview

    @web.authenticated
    async def get(self) -> None:
        """The page, with the state as it is now."""
        if address := without_token(self.request):
            self.redirect(address)
            return
        self.set_header("Cache-Control", "no-store")
        pages = existing(Path(self.contents_manager.root_dir))
        now, port = await asyncio.to_thread(lambda: (self.overview.read(), self.overview.drawing_port()))
        drawing = drawing_page(self.request, port)
        self.finish(
            self.render_template(
                "landing.html", pages=pages, drawing=drawing, now=asdict(now), version=VERSION
            )
        )


class ToDrawingPage(JupyterHandler):
    """A place from which every page and JupyterLab reach the drawing page, whose port only the server knows."""

    def initialize(self, overview: OverviewReader) -> None:
        self.overview = overview

    @web.authenticated
    async def get(self) -> None:
        """Send on to it, on the host that the visitor came by; it is told the way back."""
        port = await asyncio.to_thread(self.overview.drawing_port)
        self.set_header("Cache-Control", "no-store")
        own = urlsplit(f"//{self.request.host}").port
        self.redirect(drawing_page(self.request, port) + (f"?dashboard={own}" if own else ""))


def drawing_page(request: HTTPServerRequest, port: int) -> str:
    """The drawing page's address for whoever asks."""
    host = request.host_name
    host = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return f"{request.protocol}://{host}:{port}/"


class WithoutToken(JupyterHandler):
    """Instead of JupyterLab's page, where the token is in its address."""

    @web.authenticated
    async def get(self) -> None:
        """Send on to the same address without it; the cookie is set by then."""
        self.redirect(without_token(self.request) or self.request.path)


class ToLanding(JupyterHandler):
    """Instead of Voilà's list of files, which asks another host for its icons."""

    @web.authenticated
    async def get(self) -> None:
        """Send on."""
        self.redirect(url_path_join(self.base_url, "workbench"))


class OverviewPoll(APIHandler):
    """The state again and again, while somebody looks."""

    def initialize(self, overview: OverviewReader, kernels: PageKernels) -> None:
        self.overview, self.kernels = overview, kernels

    @web.authenticated
    async def get(self) -> None:
        """The overview as JSON, and how many kernels are ready, by notebook."""
        self.set_header("Cache-Control", "no-store")
        told = await asyncio.to_thread(self.overview.read)
        self.finish(asdict(told) | {"kernels": self.kernels.ready})
