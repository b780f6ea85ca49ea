"""What a service is told of the environment in which `workbench up` was started."""

from collections.abc import Callable

import pytest

from workbench.services import Service, dashboard, first_training, frontend, job_queue
from workbench.settings import Settings

TOLD = {
    "SSL_CERT_FILE": "/etc/own-ca.pem",
    "HTTPS_PROXY": "http://proxy:3128",
    "no_proxy": "localhost",
    "UV_DEFAULT_INDEX": "https://mirror/simple",
}


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**TOLD, "MY_PASSWORD": "secret"}.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("told")
@pytest.mark.parametrize("prepare", [dashboard.prepare, first_training.service, job_queue.prepare])
def test_what_fetches_knows_proxies_certificates_and_where_packages_are(
    prepare: Callable[[Settings], Service], settings: Settings
) -> None:
    """The queue starts the runners, which fetch a recipe's packages, as well as a page's kernel does."""
    environment = prepare(settings).environment
    assert {name: environment.get(name) for name in TOLD} == TOLD
    assert "MY_PASSWORD" not in environment


@pytest.mark.usefixtures("told")
def test_what_fetches_nothing_knows_none_of_it(settings: Settings) -> None:
    assert not TOLD.keys() & frontend.prepare(settings).environment.keys()
