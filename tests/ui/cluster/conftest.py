"""A cluster page each test has for itself."""

from collections.abc import Iterator

import pytest

from tests.browser.made_jobs import make_jobs
from tests.chain import threads_end
from tests.ui.cluster.stand import SaidRequests, Stand
from workbench.errors import Unavailable
from workbench.machines.fake import FakeProvider
from workbench.settings import Settings
from workbench.ui.cluster import ClusterPage
from workbench.verbs.workbench import Workbench, open_store


@pytest.fixture
def stand(settings: Settings) -> Iterator[Stand]:
    provider, started = FakeProvider(), []

    def open_provider(name: str, _: Settings) -> FakeProvider:
        if name != "local":
            raise Unavailable(f"there is no provider {name!r} here")
        return provider

    with open_store(settings) as store, threads_end():
        workbench = Workbench(
            settings, store, start=lambda id, _: started.append(id), open_provider=open_provider
        )
        workbench.requests = SaidRequests(settings, store, workbench.machines)
        page = ClusterPage(workbench)
        yield Stand(page, provider, started)
        page.poll.close()


@pytest.fixture
def made(stand: Stand, settings: Settings) -> dict[str, int]:
    """Jobs of every state, and ann who looks at them."""
    found = make_jobs(settings)
    stand.page.requester.name = "ann"
    return found
