"""Standing clusters: machines that are launched once and serve many jobs, until they are released."""

from collections.abc import Callable
from html import escape

import ipywidgets

from workbench.errors import BadInput, Unavailable
from workbench.machines import Layout, Plan
from workbench.ui.cluster.fields import StandingClusters, whole_number
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import waiting
from workbench.verbs.clusters import Patience
from workbench.verbs.machines import PROVIDERS
from workbench.verbs.workbench import Workbench

NAMES = {"local": "This computer", "aws": "Amazon Web Services"}


class StandingClustersForm:
    """Launches, starts, stops and releases standing clusters.

    Parameters
    ----------
    changed
        Called when machines were made or ended.
    """

    def __init__(self, workbench: Workbench, message: Message, *, changed: Callable[[], None]) -> None:
        self._workbench, self._message, self._changed = workbench, message, changed
        self._make_fields()
        self._make_actions()
        self._lay_out()

    def _make_fields(self) -> None:
        self.name = ipywidgets.Text(description="Cluster name", placeholder="evening")
        self.ps = ipywidgets.Text("1", description="Its parameter servers")
        self.workers = ipywidgets.Text("2", description="Its workers")
        self.where = ipywidgets.Dropdown(
            options=[(NAMES[name], name) for name in PROVIDERS], description="Its machines"
        )
        self.type = ipywidgets.Text("", description="Its instance type", placeholder="the usual one")
        self.type.layout.display = "none"
        self.where.observe(lambda _: self._placed(), "value")
        self.chosen = ipywidgets.Dropdown(options=[], description="Standing cluster")
        self.name.add_class("wb-name")

    def _make_actions(self) -> None:
        def make(label: str, do: Callable[[], str], tooltip: str, **more: object) -> Action:
            return Action(label, do, self._message, tooltip=tooltip, **more)  # type: ignore[arg-type]

        self.launch = make(
            "Launch",
            self._launch,
            "Make the machines; they stay until released",
            confirm=self._price,
            stoppable=True,
        )
        self.start = make("Start", self._start, "Start the machines that are stopped")
        self.stop = make(
            "Stop", self._stop, "End what runs on them and keep them", confirm=lambda: self._sure("Stop")
        )
        self.release = make(
            "Release",
            self._release,
            "Give the machines back",
            danger=True,
            confirm=lambda: self._sure("Release"),
        )

    def _lay_out(self) -> None:
        form = ipywidgets.Box([self.name, self.ps, self.workers, self.where, self.type])
        form.add_class("wb-form")
        some = ipywidgets.HBox([self.chosen])
        some.add_class("wb-start")
        ends = ipywidgets.HBox([a.widget for a in (self.start, self.stop, self.release)])
        ends.add_class("wb-buttons")
        self._some = ipywidgets.VBox([some, ends])
        make = ipywidgets.HBox([self.launch.widget])
        make.add_class("wb-buttons")
        self.widget = ipywidgets.Accordion(
            [ipywidgets.VBox([form, make, self._some])], titles=["Standing clusters, for many jobs"]
        )
        self.widget.add_class("wb-fold")

    def show(self, standing: StandingClusters) -> None:
        """Offer the clusters that there are."""
        names = [(f"{name} ({NAMES[p]})", (p, name)) for p, found in standing.items() for name in found]
        if tuple(names) != tuple(self.chosen.options):
            kept, values = self.chosen.value, [value for _, value in names]
            self.chosen.options = names
            self.chosen.value = kept if kept in values else next(iter(values), None)
        self._some.layout.display = "" if names else "none"

    def _asked(self) -> tuple[str, Layout]:
        name = self.name.value.strip()
        if not name:
            raise BadInput("give the cluster a name")
        ps, workers = (
            whole_number("parameter servers", self.ps.value, 0),
            whole_number("workers", self.workers.value, 1),
        )
        kind = self.type.value.strip() if self.where.value != "local" else ""
        return name, Layout(ps, workers, kind or None)

    def _placed(self) -> None:
        self.type.layout.display = "none" if self.where.value == "local" else ""

    def _price(self) -> str:
        return f"Make {describe_plan(self._workbench.machines.plan(self.where.value, self._asked()[1]))}?"

    def _launch(self) -> str:
        name, layout = self._asked()
        patience = Patience(self._tell_waiting, "Stop", self._pause)
        made = self._workbench.clusters.launch(name, layout, self.where.value, patience=patience)
        self._changed()
        machines = "1 machine" if len(made) == 1 else f"{len(made)} machines"
        return f"{name} stands, with {machines}; choose it in a request"

    def _tell_waiting(self, line: str) -> None:
        self._message.html = waiting(line, working=True)

    def _pause(self, seconds: float) -> None:
        if self.launch.pause(seconds):
            raise Unavailable("no machine was free, and the asking was stopped; nothing was made")

    def _sure(self, what: str) -> str:
        return f"{what} {escape(self._picked()[1])}?"

    def _picked(self) -> tuple[str, str]:
        if self.chosen.value is None:
            raise BadInput("choose a cluster first")
        provider, name = self.chosen.value
        return provider, name

    def _start(self) -> str:
        provider, name = self._picked()
        self._workbench.clusters.start(name, provider)
        self._changed()
        return f"{name} runs"

    def _stop(self) -> str:
        provider, name = self._picked()
        self._workbench.clusters.stop(name, provider)
        self._changed()
        return f"{name} is stopped; its machines are kept"

    def _release(self) -> str:
        provider, name = self._picked()
        self._workbench.clusters.release(name, provider)
        self._changed()
        return f"{name} is released"


def describe_plan(plan: Plan) -> str:
    """List what a launch makes, and its price."""
    things = ", ".join(
        f"{escape(r.name)} <span class=wb-muted>({escape(r.type)})</span>" for r in plan.resources
    )
    return f"{things}; {plan.price}"
