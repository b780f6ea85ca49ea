"""Standing clusters: launch, stop, start, release."""

import time
from collections.abc import Sequence

from workbench.errors import BadInput
from workbench.jobs import ACTIVE, Store
from workbench.jobs.standing_costs import Change, Kind, Ledger
from workbench.machines import Layout, Machine, standing
from workbench.machines.standing import Patience
from workbench.verbs.machines import Machines

__all__ = ["Clusters", "Patience"]


class Clusters:
    """The standing clusters of all providers; jobs name one with its name."""

    def __init__(self, store: Store, machines: Machines, ledger: Ledger) -> None:
        self._store, self._machines, self._ledger = store, machines, ledger

    def launch(
        self,
        name: str,
        layout: Layout,
        provider: str = "local",
        *,
        patience: Patience | None = None,
    ) -> list[Machine]:
        """Make a cluster whose machines stand ready.

        Parameters
        ----------
        patience
            For where no such machine is free; without it that is an error.

        Raises
        ------
        BadInput
            The name is taken, is no name, or is kept for the clusters that jobs make for themselves.
        """
        made = standing.launch(self._machines.provider(provider), name, layout, patience)
        self._note("launch", name, provider, len(made), self._machines.plan(provider, layout).price_per_hour)
        return made

    def layout(self, name: str, provider: str = "local") -> Layout:
        """The layout of a cluster; raises ``NotFound``."""
        return standing.layout_of(self._machines.find(provider, name), name)

    @staticmethod
    def layouts(machines: Sequence[Machine]) -> dict[str, Layout]:
        """The layouts of the standing clusters among these machines, by name."""
        found = standing.standing(machines)
        return {name: standing.layout_of(members, name) for name, members in found.items()}

    def check_layout(self, name: str, layout: Layout, provider: str = "local") -> None:
        """Refuse a job whose layout is not the cluster's; raises ``NotFound``, ``BadInput``."""
        standing.check_layout(self._machines.find(provider, name), name, layout)

    def stop(self, name: str, provider: str = "local") -> list[Machine]:
        """Stop the machines and keep them.

        Raises
        ------
        NotFound
        BadInput
            A job is at work on it.
        """
        self._check_idle(name, provider)
        stopped = self._machines.provider(provider).stop(name)
        self._note("stop", name, provider)
        return stopped

    def start(self, name: str, provider: str = "local") -> list[Machine]:
        """Start the machines that are stopped; raises ``NotFound``."""
        standing.check_name(name)
        started = self._machines.provider(provider).start(name)
        self._note("start", name, provider)
        return started

    def release(self, name: str, provider: str = "local") -> None:
        """End the cluster; as ``stop``."""
        self._check_idle(name, provider)
        self._machines.provider(provider).terminate(name)
        self._note("release", name, provider)

    def _note(
        self, kind: Kind, name: str, provider: str, machines: int = 0, price_per_hour: float = 0.0
    ) -> None:
        """Keep what was done, for the costs; what runs here costs nothing."""
        if provider != "local":
            self._ledger.note(Change(time.time(), kind, name, provider, machines, price_per_hour))

    def _check_idle(self, name: str, provider: str) -> None:
        standing.check_name(name)
        self.layout(name, provider)
        for job in self._store.jobs(state=ACTIVE, limit=1000):
            if job.cluster == name and job.provider == provider:
                raise BadInput(
                    f"job {job.id} is at work on {name}; end it with: workbench terminate {job.id}"
                )
