"""One Chromium for all browser tests."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.chain import make_settings
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running
from workbench.services import frontend

from . import chromium
from .cluster_screen import visitor

__all__ = ["visitor"]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A running Chromium; each test opens a context of its own in it."""
    program = chromium.find()
    if program is None:
        pytest.skip(
            f"no Chromium: none of {', '.join(chromium.PROGRAMS)} is installed (Debian: apt-get install chromium)"
        )
    with sync_playwright() as playwright:
        browser = chromium.launch(playwright, program)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Front:
    """The drawing page as Apache serves it, before a stand-in for the back end."""

    url: str
    backend: stand_in.Backend


@pytest.fixture(scope="session")
def shared_front(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Front]:
    if frontend.find_apache() is None:
        pytest.skip("Apache is not installed (Debian: apt-get install apache2-bin)")
    backend = stand_in.Backend()
    settings = make_settings(
        tmp_path_factory.mktemp("front"),
        WORKBENCH_FRONTEND_PORT=str(free_ports(1)[0]),
        WORKBENCH_BACKEND_PORT=str(backend.port),
    )
    try:
        with running(settings) as service:
            yield Front(service.url, backend)
    finally:
        backend.stop()


@pytest.fixture
def front(shared_front: Front) -> Front:
    """The page, with a back end that is there, recognises every drawing as a 7 and has seen none yet."""
    shared_front.backend.start()
    shared_front.backend.reset()
    return shared_front
