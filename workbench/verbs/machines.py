"""Machines as the providers show them now, and those that a request would make."""

from collections.abc import Callable

from workbench import runner
from workbench.machines import Layout, Machine, Plan, Provider
from workbench.settings import Settings

__all__ = ["PROVIDERS", "Layout", "Machine", "Machines", "Plan", "Provider"]

PROVIDERS = ("local", "aws")


class Machines:
    """The providers, each opened at first use. Threads may share it.

    Parameters
    ----------
    open_provider
        Gives a provider by its name.
    """

    def __init__(
        self, settings: Settings, open_provider: Callable[[str, Settings], Provider] = runner.open_provider
    ) -> None:
        self._settings, self._open = settings, open_provider
        self._opened: dict[str, Provider] = {}

    def provider(self, name: str) -> Provider:
        """The provider of that name; raises ``Unavailable`` where there is none."""
        if name not in self._opened:
            self._opened[name] = self._open(name, self._settings)
        return self._opened[name]

    def find(self, provider: str, cluster: str | None = None) -> list[Machine]:
        """The machines that exist, of one cluster where one is named."""
        return self.provider(provider).machines(cluster)

    def plan(self, provider: str, layout: Layout) -> Plan:
        """Plan the machines that a job of this layout would make, and their price an hour."""
        return self.provider(provider).plan(layout)
