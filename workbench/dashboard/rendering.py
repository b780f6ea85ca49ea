"""A page rendered before anybody asked for it, as Voilà's own pool of its stand-alone server does it."""

from dataclasses import dataclass
from typing import Any

from voila.configuration import VoilaConfiguration
from voila.notebook_renderer import NotebookRenderer
from voila.utils import get_page_config

from workbench.errors import WorkbenchError


@dataclass(frozen=True)
class Renderer:
    """What Voilà needs to render a notebook, gathered once."""

    server: Any
    voila: VoilaConfiguration
    template_paths: list[str]

    async def open(self, notebook: str) -> NotebookRenderer:
        """Read the notebook, a path below the server's folder."""
        settings = self.server.web_app.settings
        known = {
            "base_url": self.server.base_url,
            "settings": settings,
            "log": self.server.log,
            "voila_configuration": self.voila,
        }
        page_config = self.voila.page_config_hook(get_page_config(**known), **known, notebook_path=notebook)
        renderer = NotebookRenderer(
            voila_configuration=self.voila,
            traitlet_config=self.server.config,
            notebook_path=notebook,
            template_paths=self.template_paths,
            config_manager=self.server.config_manager,
            contents_manager=self.server.contents_manager,
            base_url=self.server.base_url,
            kernel_spec_manager=self.server.kernel_spec_manager,
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
