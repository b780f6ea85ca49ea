"""One workbench: its settings, its store, and the verbs that need them, for commands and pages alike."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from workbench import runner
from workbench.jobs import Store
from workbench.jobs.standing_costs import Ledger
from workbench.machines import Provider
from workbench.settings import Settings
from workbench.verbs.clusters import Clusters
from workbench.verbs.jobs import Jobs
from workbench.verbs.machines import Machines
from workbench.verbs.requests import Requests


class Workbench:
    """Threads may share it.

    Parameters
    ----------
    start
        Starts a runner; see ``runner.tick``.
    open_provider
        Gives a provider by its name.

    Attributes
    ----------
    jobs, requests, clusters, machines
        The verbs, by their noun.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        *,
        start: runner.Start | None = None,
        open_provider: Callable[[str, Settings], Provider] = runner.open_provider,
    ) -> None:
        self.settings = settings
        self.store = store
        self.machines = Machines(settings, open_provider)
        self.clusters = Clusters(store, self.machines, Ledger(settings.home))
        self.requests = Requests(settings, store, self.machines)
        self.jobs = Jobs(settings, store, self.machines, self.clusters, start)


@contextmanager
def opened(settings: Settings) -> Iterator[Workbench]:
    """The workbench of these settings, its store open."""
    with open_store(settings) as store:
        yield Workbench(settings, store)


def open_store(settings: Settings) -> Store:
    """The job store of these settings; the home is made where there is none."""
    settings.home.mkdir(parents=True, exist_ok=True)
    return Store(settings.database_url)
