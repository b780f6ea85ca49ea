"""A back end that the tests of this folder share, and a serving page each test has for itself."""

from collections.abc import Callable, Iterator

import pytest

from tests.backend import making, real_server
from tests.backend.real_server import Server
from tests.browser import made_models
from tests.chain import threads_end
from tests.ui.serving.stand import Account, Stand, settings_of
from workbench.ui.serving import ServingPage
from workbench.verbs.workbench import Workbench, open_store


@pytest.fixture(scope="session")
def server(
    tmp_path_factory: pytest.TempPathFactory, free_ports: Callable[[int], list[int]]
) -> Iterator[Server]:
    """A back end with versions 1 and 2 of a model, of which the second serves."""
    home = tmp_path_factory.mktemp("serving") / "home"
    server = real_server.start(home, free_ports(1)[0])
    (home / "deploy_token").write_text(making.TOKEN)
    (home / "deploy_token").chmod(0o600)
    settings = settings_of(server)
    for answer, right in ((1, 0.95), (2, 0.985), (3, 0.99)):
        made_models.publish(settings, answer, right=right)
    real_server.wait_for(lambda: server.ask("GET", "/healthz").status == 200, server)
    try:
        yield server
    finally:
        real_server.stop(server)


@pytest.fixture
def stand(server: Server) -> Iterator[Stand]:
    with open_store(settings_of(server)) as store, threads_end():
        page = ServingPage(
            Workbench(settings_of(server), store, start=lambda *_: None), application=Account()
        )
        stand = Stand(page, server)
        stand.deploy(1)
        stand.deploy(2)
        page.requester.name = "bea"
        page.poll.turn()
        yield stand
        page.poll.close()
