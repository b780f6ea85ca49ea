"""The fields of a request but for its code: the model's name, the layout, and the machines to run on."""

from collections.abc import Callable, Mapping

import ipywidgets

from workbench.errors import BadInput
from workbench.machines import Layout
from workbench.ui.draft import Draft

PROVIDERS = {"This computer": "local", "Amazon Web Services": "aws"}
OWN = "own machines"
TYPED = ("name", "ps", "workers", "epochs", "type")
"""The fields that one types into."""
INSTANCE_TYPES = ("c5.large", "c5.xlarge", "c5.2xlarge", "m5.large", "m5.xlarge", "g4dn.xlarge")
"""Offered, not required: any type that the provider knows can be typed."""
StandingClusters = Mapping[str, Mapping[str, Layout]]
"""The layouts of standing clusters by provider and name."""


class RequestFields:
    """A model name, numbers of machines, and the place where they are.

    Parameters
    ----------
    changed
        Called after each change by a visitor or by ``show``.
    """

    def __init__(self, changed: Callable[[], None]) -> None:
        self._clusters: StandingClusters = {}
        self.name = ipywidgets.Text(description="Model name")
        self.ps = ipywidgets.Text("0", description="Parameter servers")
        self.workers = ipywidgets.Text("1", description="Workers")
        self.epochs = ipywidgets.Text("", description="Epochs", placeholder="as the code says")
        self.provider = ipywidgets.Dropdown(options=PROVIDERS, description="Machines")
        self.type = ipywidgets.Combobox(
            description="Instance type",
            placeholder="the usual one",
            options=INSTANCE_TYPES,
            ensure_option=False,
        )
        self.type.layout.display = "none"
        self.cluster = ipywidgets.Dropdown(options=[(OWN, "")], description="Run on")
        self.name.add_class("wb-name")
        every = [self.name, self.ps, self.workers, self.epochs, self.provider, self.type, self.cluster]
        self.widget = ipywidgets.Box(every)
        self.widget.add_class("wb-form")
        for field in every:
            field.observe(lambda _: changed(), "value")
        self.cluster.observe(lambda change: self._take_layout_of(change["new"]), "value")
        self.provider.observe(lambda _: self._offer(), "value")

    def offer(self, clusters: StandingClusters) -> None:
        """Offer the standing clusters of the provider that is chosen."""
        if clusters != self._clusters:
            self._clusters = clusters
            self._offer()

    def show(self, draft: Draft) -> None:
        """Put a draft into the fields."""
        for name in TYPED:
            getattr(self, name).value = getattr(draft, name)
        if draft.provider in PROVIDERS.values():
            self.provider.value = draft.provider

    @property
    def texts(self) -> dict[str, str]:
        """The fields as a draft keeps them."""
        return {name: str(getattr(self, name).value) for name in (*TYPED, "provider")}

    @property
    def wanted_layout(self) -> Layout:
        """The layout; raises ``BadInput`` with words for the field that is wrong."""
        ps = whole_number("parameter servers", self.ps.value, 0)
        return Layout(ps, self.wanted_workers, self.wanted_type)

    @property
    def wanted_workers(self) -> int:
        return whole_number("workers", self.workers.value, 1)

    @property
    def wanted_epochs(self) -> int | None:
        epochs = self.epochs.value.strip()
        return whole_number("epochs", epochs, 1) if epochs else None

    @property
    def wanted_type(self) -> str | None:
        """The instance type, where the provider has types and one is asked for."""
        return (self.type.value.strip() or None) if self.provider.value != "local" else None

    def _offer(self) -> None:
        self.type.layout.display = "none" if self.provider.value == "local" else ""
        names = ["", *self._clusters.get(str(self.provider.value), {})]
        options = tuple((name or OWN, name) for name in names)
        if options != tuple(self.cluster.options):
            kept = self.cluster.value
            self.cluster.options = options
            self.cluster.value = kept if kept in names else ""

    def _take_layout_of(self, cluster: str) -> None:
        """Show the layout of a standing cluster: it has its own."""
        layout = self._clusters.get(str(self.provider.value), {}).get(cluster)
        if layout is not None:
            self.ps.value, self.workers.value = str(layout.ps), str(layout.workers)


def whole_number(what: str, text: str, least: int) -> int:
    """Read the number in a field; raises ``BadInput`` with words for what is wrong with it."""
    text = text.strip()
    if not (text.isascii() and text.isdecimal() and len(text) < 7) or int(text) < least:
        raise BadInput(f"{what}: a whole number from {least}. Received: {text or 'nothing'}")
    return int(text)
