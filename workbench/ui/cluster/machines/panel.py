"""The machines: which providers there are, what exists now, what a request would make, and clusters that stand."""

import time
from collections.abc import Callable, Sequence
from html import escape

import ipywidgets

from workbench.errors import WorkbenchError
from workbench.machines import Layout, Machine, Plan
from workbench.ui.cluster.fields import StandingClusters
from workbench.ui.cluster.hints import Hints
from workbench.ui.cluster.machines.application import ApplicationPanel, Functions
from workbench.ui.cluster.machines.costs import CostsFold
from workbench.ui.cluster.machines.diagram import draw_machines, title
from workbench.ui.cluster.machines.standing import NAMES, StandingClustersForm, describe_plan
from workbench.ui.widgets.actions import Message
from workbench.ui.widgets.pieces import badge, banner, sentence, table, when
from workbench.verbs import services
from workbench.verbs.machines import PROVIDERS
from workbench.verbs.workbench import Workbench

REFUSED_S = 60.0
"""For which a provider that refused is not asked again."""
IN_RED = "The words in red beside Train say why"


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
        workbench: Workbench,
        application: Functions,
        wanted: Callable[[], tuple[str, Layout]],
        offer: Callable[[StandingClusters], None],
    ) -> None:
        self._workbench, self._wanted, self._offer = workbench, wanted, offer
        self.application = ApplicationPanel(application)
        self._refused: dict[str, tuple[float, WorkbenchError]] = {}
        self.providers, self.diagram, self.list, self.plan = Hints(), Hints(), Hints(), Hints()
        self.message = Message()
        self.clusters = StandingClustersForm(workbench, self.message, changed=self.refresh)
        self.costs = CostsFold(workbench.jobs)
        self.widget = ipywidgets.VBox(
            [
                self.providers,
                self.diagram,
                self.application.widget,
                self.list,
                self.plan,
                self.clusters.widget,
                self.message,
                self.costs.widget,
            ]
        )
        self.widget.add_class("wb").add_class("wb-card").add_class("wb-wide").add_class("wb-machines")

    def refresh(self) -> None:
        """Ask the providers again; sends nothing where nothing changed."""
        asked = self._read_plan()
        lines, every = [], []
        standing: dict[str, dict[str, Layout]] = {}
        for name in PROVIDERS:
            try:
                found = self._ask(name)
            except WorkbenchError as error:
                why = escape(self._why_refused(name, error, asked))
                lines.append(f"<li><b>{NAMES[name]}</b> {badge('stopped', 'not set up')} {why}</li>")
                continue
            more = f"{self.application.line}; " if name == "aws" else ""
            lines.append(f"<li><b>{NAMES[name]}</b> {badge('running', 'ready')} {more}{_count(found)}</li>")
            every += found
            standing[name] = self._workbench.clusters.layouts(found)
        self.providers.html = f'<ul class="wb-providers">{"".join(lines)}</ul>'
        self.diagram.html = draw_machines(
            services.listening(self._workbench.settings), [m for m in every if not m.instance]
        )
        self.list.html = _list(every)
        self.clusters.show(standing)
        self._offer(standing)
        self._show_plan(asked)

    def _why_refused(self, name: str, error: WorkbenchError, asked: Plan | WorkbenchError) -> str:
        """Say why a provider refused, to who asks for its machines, unless the request says the same in red."""
        if str(error) == str(asked):
            return IN_RED
        try:
            is_wanted = self._wanted()[0] == name
        except WorkbenchError:
            is_wanted = False
        return sentence(str(error)) if is_wanted else "Choose it in the request, to see why"

    def _ask(self, name: str) -> list[Machine]:
        """A provider's machines. One that refused is left alone for a while: to look for credentials takes seconds."""
        since, refused = self._refused.get(name, (float("-inf"), None))
        if refused is not None and time.monotonic() - since < REFUSED_S:
            raise refused
        try:
            found = self._workbench.machines.find(name)
            if name == "aws":
                self.application.refresh(found)
        except WorkbenchError as error:
            self._refused[name] = (time.monotonic(), error)
            raise
        self._refused.pop(name, None)
        return found

    def _read_plan(self) -> Plan | WorkbenchError:
        """What the request would make, or why it cannot."""
        try:
            return self._workbench.machines.plan(*self._wanted())
        except WorkbenchError as error:
            return error

    def _show_plan(self, asked: Plan | WorkbenchError) -> None:
        if isinstance(asked, WorkbenchError):
            self.plan.html = banner("Nothing can be made for the request", IN_RED, kind="note")
            return
        self.plan.html = f'<h4 class="wb-part">What the request above would make</h4><p>{describe_plan(asked)}. They end with their job.</p>'


def _count(machines: Sequence[Machine]) -> str:
    running = sum(machine.state == "running" for machine in machines)
    return "no machines now" if not machines else f"{running} of {len(machines)} machines running"


def _list(machines: Sequence[Machine]) -> str:
    if not machines:
        return ""
    rows = "".join(
        f"<tr><td>{escape(title(m.cluster))}</td><td>{escape(m.role)} {m.index}</td><td>{badge(m.state)}</td>"
        f"<td>{when(m.created) if m.created else '–'}</td><td><code>{escape(m.address or '–')}</code></td>"
        f"<td><code>{escape(str(m.instance or m.pid or '–'))}</code></td></tr>"
        for m in machines
    )
    heads = ("For", "Role", "State", "Since", "Address", "Process or instance")
    return table("What exists now", heads, rows, label="Machines that exist")
