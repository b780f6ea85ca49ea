"""The machines: which providers there are, what exists now, what a request would make, and clusters that stand."""

import time
from collections.abc import Callable, Mapping, Sequence
from html import escape

import ipywidgets

from workbench.errors import BadInput, WorkbenchError
from workbench.machines import Layout, Machine, Plan
from workbench.machines import standing as clusters
from workbench.ui.cluster.application import ApplicationPanel, Functions
from workbench.ui.cluster.job_views import badge
from workbench.ui.cluster.machines_diagram import draw, title
from workbench.ui.cluster.request import Hints, whole
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import banner, when
from workbench.verbs.jobs import PROVIDERS, Control

REFUSED_S = 60.0
"""For which a provider that refused is not asked again."""
NAMES = {"local": "This computer", "aws": "Amazon Web Services"}
Standing = Mapping[str, Mapping[str, Layout]]
"""The layouts of standing clusters by provider and name."""


class MachinesPanel:
    """Shows what the providers say, never a memory of its own.

    Parameters
    ----------
    wanted
        The provider and the layout that stand in the request; raises ``WorkbenchError`` where they cannot be.
    offer
        Told which standing clusters there are.
    """

    def __init__(
        self,
        workbench: Control,
        application: Functions,
        wanted: Callable[[], tuple[str, Layout]],
        offer: Callable[[Standing], None],
    ) -> None:
        self._workbench, self._wanted, self._offer = workbench, wanted, offer
        self.application = ApplicationPanel(application)
        self._refused: dict[str, tuple[float, WorkbenchError]] = {}
        self.providers, self.drawing, self.list, self.plan = Hints(), Hints(), Hints(), Hints()
        self.message = Message()
        self._make_fields()
        self._make_actions()
        self.widget = ipywidgets.VBox(
            [
                self.providers,
                self.drawing,
                self.application.widget,
                self.list,
                self.plan,
                self._standing(),
                self.message,
            ]
        )
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-machines")

    def refresh(self) -> None:
        """Ask the providers again; sends nothing where nothing changed."""
        lines, every = [], []
        standing: dict[str, dict[str, Layout]] = {}
        for name in PROVIDERS:
            try:
                found = self._ask(name)
            except WorkbenchError as error:
                lines.append(
                    f"<li><b>{NAMES[name]}</b> {badge('stopped', 'not set up')} {escape(str(error))}</li>"
                )
                continue
            more = f"{self.application.line}; " if name == "aws" else ""
            lines.append(f"<li><b>{NAMES[name]}</b> {badge('running', 'ready')} {more}{_count(found)}</li>")
            every += found
            there = clusters.standing(found).items()
            standing[name] = {cluster: clusters.layout_of(machines, cluster) for cluster, machines in there}
        self.providers.html = f'<ul class="wb-providers">{"".join(lines)}</ul>'
        self.drawing.html = draw(self._workbench.services(), [m for m in every if not m.instance])
        self.list.html = _list(every)
        self._show_standing(standing)
        self._offer(standing)
        self.refresh_plan()

    def _ask(self, name: str) -> list[Machine]:
        """A provider's machines. One that refused is left alone for a while: to look for credentials takes seconds."""
        since, refused = self._refused.get(name, (float("-inf"), None))
        if refused is not None and time.monotonic() - since < REFUSED_S:
            raise refused
        try:
            found = self._workbench.provider(name).machines()
            if name == "aws":
                self.application.refresh(found)
        except WorkbenchError as error:
            self._refused[name] = (time.monotonic(), error)
            raise
        self._refused.pop(name, None)
        return found

    def refresh_plan(self) -> None:
        """Say what the request would make."""
        try:
            provider, layout = self._wanted()
            plan = self._workbench.plan(provider, layout)
        except WorkbenchError as error:
            self.plan.html = banner("The request below cannot be", str(error), kind="note")
            return
        self.plan.html = f'<h4 class="wb-part">What the request below would make</h4><p>{_plan(plan)}. They end with their job.</p>'

    # Standing clusters

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
            return Action(label, do, self.message, tooltip=tooltip, **more)  # type: ignore[arg-type]

        self.launch = make(
            "Launch", self._launch, "Make the machines; they stay until released", confirm=self._price
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

    def _standing(self) -> ipywidgets.Widget:
        form = ipywidgets.Box([self.name, self.ps, self.workers, self.where, self.type])
        form.add_class("wb-form")
        some = ipywidgets.HBox([self.chosen])
        some.add_class("wb-start")
        ends = ipywidgets.HBox([a.widget for a in (self.start, self.stop, self.release)])
        ends.add_class("wb-buttons")
        self._some = ipywidgets.VBox([some, ends])
        make = ipywidgets.HBox([self.launch.widget])
        make.add_class("wb-buttons")
        fold = ipywidgets.Accordion(
            [ipywidgets.VBox([form, make, self._some])], titles=["Clusters that stand for many jobs"]
        )
        fold.add_class("wb-fold")
        return fold

    def _show_standing(self, standing: Standing) -> None:
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
        ps, workers = whole("parameter servers", self.ps.value, 0), whole("workers", self.workers.value, 1)
        kind = self.type.value.strip() if self.where.value != "local" else ""
        return name, Layout(ps, workers, kind or None)

    def _placed(self) -> None:
        self.type.layout.display = "none" if self.where.value == "local" else ""

    def _price(self) -> str:
        try:
            return f"Make {_plan(self._workbench.plan(self.where.value, self._asked()[1]))}?"
        except WorkbenchError as error:
            return escape(str(error))

    def _launch(self) -> str:
        name, layout = self._asked()
        made = self._workbench.launch(name, layout, self.where.value)
        self.refresh()
        return f"{name} stands, with {len(made)} machines; choose it in a request"

    def _sure(self, what: str) -> str:
        return f"{what} {escape(self._picked()[1])}?"

    def _picked(self) -> tuple[str, str]:
        if self.chosen.value is None:
            raise BadInput("choose a cluster first")
        provider, name = self.chosen.value
        return provider, name

    def _start(self) -> str:
        provider, name = self._picked()
        self._workbench.start(name, provider)
        self.refresh()
        return f"{name} runs"

    def _stop(self) -> str:
        provider, name = self._picked()
        self._workbench.stop(name, provider)
        self.refresh()
        return f"{name} is stopped; its machines are kept"

    def _release(self) -> str:
        provider, name = self._picked()
        self._workbench.release(name, provider)
        self.refresh()
        return f"{name} is released"


def _count(machines: Sequence[Machine]) -> str:
    running = sum(machine.state == "running" for machine in machines)
    return "no machines now" if not machines else f"{running} of {len(machines)} machines running"


def _plan(plan: Plan) -> str:
    things = ", ".join(
        f"{escape(r.name)} <span class=wb-muted>({escape(r.type)})</span>" for r in plan.resources
    )
    return f"{things}; {plan.price}"


def _list(machines: Sequence[Machine]) -> str:
    if not machines:
        return ""
    rows = "".join(
        f"<tr><td>{escape(title(m.cluster))}</td><td>{escape(m.role)} {m.index}</td><td>{badge(m.state)}</td>"
        f"<td>{when(m.created) if m.created else '–'}</td><td><code>{escape(m.address or '–')}</code></td>"
        f"<td><code>{escape(str(m.instance or m.pid or '–'))}</code></td></tr>"
        for m in machines
    )
    heads = "".join(
        f'<th scope="col">{h}</th>'
        for h in ("For", "Role", "State", "Since", "Address", "Process or instance")
    )
    return (
        '<h4 class="wb-part">What exists now</h4><div class="wb-scroll" tabindex="0" role="region" '
        f'aria-label="Machines that exist"><table class="wb-list"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )
