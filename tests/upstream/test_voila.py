"""What Voilà asks of a kernel manager, and what a page is made with and of."""

import inspect
import re

import pytest

pytest.importorskip("voila")

from voila import server_extension
from voila.configuration import VoilaConfiguration
from voila.handler import VoilaHandler
from voila.notebook_renderer import NotebookRenderer
from voila.tornado.handler import TornadoVoilaHandler
from voila.utils import ENV_VARIABLE, get_page_config
from voila.voila_kernel_manager import voila_kernel_manager_factory

from workbench.dashboard.kernels import PageKernels
from workbench.dashboard.scripts import LIST, Scripts
from workbench.upstream.voila import PreparedPages, script_folders

ASKED = (
    "self.kernel_manager.notebook_data.get(",
    "self.kernel_manager.get_pool_size(notebook_path)",
    "render_task, rendered_cache, kernel_id, ) = await self.kernel_manager.get_rendered_notebook( "
    "notebook_name=notebook_path,",
    "rendered, rendering = await render_task",
    "await ensure_async( self.kernel_manager.start_kernel(",
)


@pytest.mark.parametrize("asked", ASKED, ids=range(len(ASKED)))
def test_a_page_asks_the_kernel_manager_for_what_was_prepared(asked: str) -> None:
    assert asked in " ".join(inspect.getsource(VoilaHandler.get_generator).split())


def test_our_kernel_manager_has_all_that_is_asked() -> None:
    for name in ("notebook_data", "get_pool_size", "get_rendered_notebook"):
        assert name in vars(PreparedPages)
        assert name in vars(PageKernels)


@pytest.mark.parametrize("name", ["template", "theme"])
def test_a_prepared_page_is_one_of_that_template_and_theme(name: str) -> None:
    source = inspect.getsource(VoilaHandler.should_use_rendered_notebook)
    assert f'notebook_data.get("{name}")' in source


def test_a_page_is_made_with_these_arguments_and_written_by_get() -> None:
    source = inspect.getsource(VoilaHandler.initialize)
    for name in ("template_paths", "config", "voila_configuration"):
        assert f'"{name}"' in source
    assert "get" in vars(TornadoVoilaHandler)


def test_a_page_is_rendered_beforehand_with_the_arguments_that_voila_gives_it() -> None:
    given = set(re.findall(r"^ +(\w+)=[\w.(\"]", inspect.getsource(VoilaHandler.get_generator), re.MULTILINE))
    ours = {
        "voila_configuration",
        "traitlet_config",
        "notebook_path",
        "template_paths",
        "config_manager",
        "contents_manager",
        "base_url",
        "kernel_spec_manager",
        "page_config",
        "mathjax_config",
        "mathjax_url",
    }
    assert ours <= given
    assert [*inspect.signature(NotebookRenderer.generate_content_hybrid).parameters] == [
        "self",
        "kernel_id",
        "kernel_future",
    ]
    assert [*inspect.signature(get_page_config).parameters] == [
        "base_url",
        "settings",
        "log",
        "voila_configuration",
    ]
    assert VoilaConfiguration.page_config_hook.class_init is not None


def test_a_prepared_kernel_is_told_what_voilas_own_pool_tells() -> None:
    source = inspect.getsource(voila_kernel_manager_factory)
    told = set(re.findall(r"kernel_env\[ENV_VARIABLE\.(\w+)\] =", source))
    assert told == {"VOILA_BASE_URL", "VOILA_SERVER_URL", "VOILA_APP_PORT", "VOILA_PREHEAT"}
    assert told | {"SERVER_SOFTWARE"} <= set(ENV_VARIABLE.__members__)


def test_voilas_extension_prepares_nothing_itself() -> None:
    """Once it does, ``upstream/voila.py`` and the dashboard's pool can go."""
    assert "kernel_manager" not in inspect.getsource(server_extension)


def test_every_script_of_a_page_is_one_push_onto_the_loaders_list() -> None:
    scripts = Scripts(script_folders("workbench"), ())
    for name in LIST.read_text().split():
        text = scripts._read(name)
        assert text is not None, name
        assert b".push([[" in text[:500], name
