"""Voilà inside a Jupyter server, with kernels that were prepared before anybody came.

Voilà has a pool of prepared kernels (its pull request https://github.com/voila-dashboards/voila/pull/936), but only its
stand-alone server makes one: as an extension of a Jupyter server, which is what gives one port and one token for
JupyterLab and the pages, it asks the server's kernel manager for :class:`PreparedPages` and finds none. What is
touched for a pool of our own, and documented nowhere:

- the handler of a page, ``TornadoVoilaHandler``, what it is made with and what it asks (:class:`PreparedPages`);
- ``NotebookRenderer`` and ``get_page_config``, by which the stand-alone server renders a page beforehand;
- the environment variables that a page's kernel is told, ``ENV_VARIABLE``;
- the handler of templates' files, which fails (500) for an address that names none (:class:`TemplateFiles`);
- the folders of templates, scripts and lab extensions, and that its scripts are webpack's chunks;
- ``_load_jupyter_server_extension``, called here so that our route comes before Voilà's.

Versions: ``voila>=0.5.13,<0.5.14``. Goes when Voilà's extension keeps kernels ready and ends those of pages that were left
(issue 1458).
"""

import os
from asyncio import Task
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

import voila.server_extension
from tornado import web
from voila import __version__
from voila.configuration import VoilaConfiguration
from voila.notebook_renderer import NotebookRenderer
from voila.paths import collect_static_paths, collect_template_paths
from voila.static_file_handler import TemplateStaticFileHandler
from voila.tornado.handler import TornadoVoilaHandler
from voila.utils import ENV_VARIABLE, get_page_config, get_voila_labextensions_path

from workbench.errors import WorkbenchError

__all__ = ("PageHandler", "PreparedPages", "Rendered", "Renderer", "TemplateFiles", "VoilaSite")

PageHandler = TornadoVoilaHandler
"""A page, written piece by piece by ``get``; its ``kernel_manager`` is a kernel manager and :class:`PreparedPages`."""
_THEMES = ["voila", "nbconvert"]

Rendered: TypeAlias = "Task[tuple[list[str], Any]]"
"""A page that was rendered beforehand: its pieces, and a generator of what is left."""


class TemplateFiles(TemplateStaticFileHandler):
    """The files of templates; an address that is none of ``TEMPLATE/static/PATH`` is not found."""

    def parse_url_path(self, url_path: str) -> str:
        """The path of an address, below the templates' folders."""
        template, static, *rest = os.path.normpath(url_path).split("/", 2) + [""] * 2
        if "\0" in url_path or static != "static" or not rest[0] or template in ("", ".", ".."):
            raise web.HTTPError(404)
        return str(super().parse_url_path(os.path.normpath(url_path)))

    @classmethod
    def get_absolute_path(cls, root: str, path: str) -> str:
        """The file that is meant."""
        try:
            return str(super().get_absolute_path(root, path))
        except UnboundLocalError as error:  # no template of that name has any files
            raise web.HTTPError(404) from error


class PreparedPages(Protocol):
    """A kernel manager as Voilà asks it; one without these prepares nothing."""

    @property
    def notebook_data(self) -> Mapping[str, Mapping[str, str]]:
        """Notebook → ``template`` and ``theme`` of its prepared pages; another one is rendered anew."""

    def get_pool_size(self, notebook_name: str) -> int:
        """How many are ready."""

    async def get_rendered_notebook(self, notebook_name: str, **more: Any) -> tuple[Rendered, list[str], str]:
        """Give one away: the page, the pieces that were written already, the kernel's id."""


@dataclass(frozen=True)
class VoilaSite:
    """Voilà on a Jupyter server: its configuration and the folders of its templates."""

    server: Any
    configuration: VoilaConfiguration
    template_paths: list[str]

    @classmethod
    def on(cls, server: Any) -> "VoilaSite":
        """As the server's own configuration says."""
        configuration = VoilaConfiguration(parent=server)
        return cls(server, configuration, collect_template_paths(_THEMES, configuration.template))

    @property
    def handler_arguments(self) -> dict[str, Any]:
        """What :data:`PageHandler` is made with."""
        return {
            "config": self.server.config,
            "template_paths": self.template_paths,
            "voila_configuration": self.configuration,
        }

    def add_routes(self) -> None:
        """Add all routes of Voilà's own; what the server has already goes first."""
        voila.server_extension._load_jupyter_server_extension(self.server)

    def kernel_environment(self) -> dict[str, str]:
        """What Voilà tells a kernel that it starts for a page, as far as it is known without a visitor."""
        return {
            ENV_VARIABLE.VOILA_PREHEAT: "True",
            ENV_VARIABLE.VOILA_BASE_URL: self.server.base_url,
            ENV_VARIABLE.VOILA_SERVER_URL: self.server.base_url,
            ENV_VARIABLE.VOILA_APP_PORT: str(self.server.port),
            ENV_VARIABLE.SERVER_SOFTWARE: f"voila/{__version__}",
        }


def script_folders(template: str) -> dict[str, Sequence[str]]:
    """The folders behind a page's ``static`` and ``labextensions``, in the order in which they are searched.

    Each script there is one ``….push([[number], {modules}])`` onto a list that Voilà's loader looks at first.
    """
    return {
        "static": collect_static_paths(_THEMES, template),
        "labextensions": get_voila_labextensions_path([]),
    }


@dataclass(frozen=True)
class Renderer:
    """Renders pages without a visitor, as the pool of Voilà's stand-alone server does it."""

    site: VoilaSite

    async def open(self, notebook: str) -> NotebookRenderer:
        """Read the notebook, a path below the server's folder."""
        server, voila = self.site.server, self.site.configuration
        settings = server.web_app.settings
        known = {
            "base_url": server.base_url,
            "settings": settings,
            "log": server.log,
            "voila_configuration": voila,
        }
        page_config = voila.page_config_hook(get_page_config(**known), **known, notebook_path=notebook)
        renderer = NotebookRenderer(
            voila_configuration=voila,
            traitlet_config=server.config,
            notebook_path=notebook,
            template_paths=self.site.template_paths,
            config_manager=server.config_manager,
            contents_manager=server.contents_manager,
            base_url=server.base_url,
            kernel_spec_manager=server.kernel_spec_manager,
            page_config=page_config,
            mathjax_config=settings.get("mathjax_config"),
            mathjax_url=settings.get("mathjax_url"),
        )
        await renderer.initialize()
        return renderer


async def run(renderer: NotebookRenderer, kernel_id: str, kernel: Any) -> tuple[list[str], Any]:
    """Run the cells in the kernel: the page's pieces, and a generator of what is left, which is nothing.

    Raises
    ------
    WorkbenchError
        A cell failed; that page is better made anew for each visitor, since the cause may pass.
    """
    rendered, rest = await renderer.generate_content_hybrid(kernel_id, kernel)
    for cell in renderer.executor.nb.cells:
        for output in cell.get("outputs", ()):
            if output["output_type"] == "error":
                raise WorkbenchError(f"{renderer.notebook_path}: {output['ename']}: {output['evalue']}")
    return rendered, rest
