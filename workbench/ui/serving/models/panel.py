"""All versions and what serves, in one table; several beside each other, and one that is open."""

from collections.abc import Callable, Mapping
from typing import Any

import ipywidgets

from workbench.backends.values import Deployment
from workbench.errors import WorkbenchError
from workbench.ui.serving.choice import BackEndChoice
from workbench.ui.serving.models import comparison_views
from workbench.ui.serving.models import views as version_views
from workbench.ui.serving.models.version import VersionPage
from workbench.ui.serving.snapshot import Snapshot
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.formats import megabytes
from workbench.ui.widgets.pieces import Html, banner, waiting
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.table import Column, Facet, Page, Query, Table
from workbench.ui.widgets.visitor.address import Address
from workbench.ui.widgets.visitor.requester import Requester
from workbench.verbs import models
from workbench.verbs.models import Version
from workbench.verbs.workbench import Workbench

COLUMNS = (
    Column("model", "Model"),
    Column("version", "Version", "number"),
    Column("deployment", "Deployed", "state"),
    Column("accuracy", "Accuracy", "share"),
    Column("interval", "95 % interval", priority=3, sortable=False),
    Column("size", "Size", "text", priority=4, sortable=False),
    Column("job", "Job", "number", priority=4),
    Column("created", "Published", "time", priority=2),
)
EMPTY = waiting("No model is published yet.") + (
    '<p class="wb-empty"><a class="wb-button wb-primary" href="deploy_cluster.ipynb">Train one on a cluster</a> '
    '<a class="wb-button" href="00-mnist-cnn.ipynb">Make one step by step</a></p>'
)


class ModelsPanel:
    """Shows the registry and the chosen back end; keeps nothing of its own.

    Parameters
    ----------
    changed
        Called when something was deployed or rolled back.
    """

    def __init__(
        self,
        workbench: Workbench,
        choice: BackEndChoice,
        requester: Requester,
        address: Address,
        changed: Callable[[], None],
    ) -> None:
        self._workbench, self._choice, self._address = workbench, choice, address
        self._served: tuple[Deployment, ...] = ()
        self.served, self.failed = Html(), Message()
        self.compared, self.on_drawings, self.damaged = Html(), Html(), Html()
        self.again = Action("Try again", changed, self.failed, tooltip="Ask the back end again")
        self.table = Table(
            COLUMNS,
            self._fetch,
            label="models",
            empty=EMPTY,
            facets=(Facet("model", "All models", menu=True),),
            sort="created",
            descending=True,
            selectable=True,
        )
        self.version = VersionPage(
            choice, requester, changed, closed=lambda: setattr(self.table, "opened", None)
        )
        self._lay_out()
        self._opening, self._comparing = Newest(self._open), Newest(self._compare)
        self.table.observe(lambda _: self._opening.ask(), "opened")
        self.table.observe(lambda _: self._comparing.ask(), "selected")
        address.on_arrival(self._arrived)

    def show(self, snapshot: Snapshot) -> None:
        """Show a snapshot that differs from the one before."""
        turned = self.version.snapshot.turn != snapshot.turn
        self._served = snapshot.models
        self.version.snapshot = snapshot
        if snapshot.asking:
            self.served.html = waiting(f"Asking {self._choice.name} …", working=True)
        elif snapshot.problem:
            name = self._choice.name
            self.served.html = banner(f"{name[0].upper()}{name[1:]} does not answer", snapshot.problem)
        elif snapshot.models:
            self.served.html = version_views.overview(snapshot.models)
        else:
            self.served.html = waiting("Nothing is deployed: open a version below and press Deploy.")
        self.again.widget.layout.display = "" if snapshot.problem else "none"
        self.damaged.html = version_views.damaged(models.damaged(self._workbench.settings))
        self.table.fetch_now()
        self._open()
        if turned:
            self._comparing.ask()

    def versions(self) -> list[Version]:
        """Give all that are published."""
        return models.versions(self._workbench.settings)

    def _lay_out(self) -> None:
        self.beside = ipywidgets.VBox([self.compared, self.on_drawings])
        self.beside.add_class("wb").add_class("wb-card").add_class("wb-compare")
        self.beside.layout.display = "none"
        self.again.widget.layout.display = "none"
        found = [self.table, self.damaged, self.beside, self.version.widget]
        parts = [self.served, self.again.widget, self.failed, *found]
        self.widget = ipywidgets.VBox(parts)
        self.widget.add_class("wb").add_class("wb-wide").add_class("wb-serving")

    # The table

    def _fetch(self, query: Query) -> Page:
        found = self.versions()
        names = list(dict.fromkeys(v.name for v in found))
        rows = [self._row(v) for v in found]
        chosen = query.facets.get("model", ())
        words = query.text.casefold().split()
        rows = [
            r
            for r in rows
            if (not chosen or r["model"] in chosen)
            and all(w in f"{r['model']}:{r['version']} {r['deployment']}".casefold() for w in words)
        ]
        rows.sort(key=lambda r: (r["model"], -r["version"]))
        rows.sort(key=lambda r: _order(r[query.sort]), reverse=query.descending)
        count = {name: sum(v.name == name for v in found) for name in names}
        return Page(rows[query.first : query.first + query.count], len(rows), {"model": count})

    def _row(self, version: Version) -> dict[str, Any]:
        manifest = version.manifest
        metrics, found = manifest.metrics, version_views.sizes(version)
        published = manifest.published
        return {
            "key": str(version),
            "model": version.name,
            "version": version.version,
            "deployment": version_views.deployment_state(version, self._served),
            "accuracy": metrics.get("accuracy"),
            "interval": version_views.interval(metrics),
            "size": megabytes(sum(found.values())) if found else "–",
            "job": manifest.job,
            "created": published.timestamp() if published else None,
        }

    # What is open and what is selected

    def _arrived(self, values: Mapping[str, str]) -> None:
        if model := values.get("model"):
            self.table.opened = model

    def _open(self) -> None:
        reference = self.table.opened
        self._address.put("model", reference)
        try:
            opened = models.find(str(reference), self._workbench.settings) if reference else None
        except WorkbenchError as error:
            self.failed.fail(error, "Opening the model")
            self.version.show(None)
            return
        if self.version.show(opened):
            self.failed.clear()

    def _compare(self) -> None:
        chosen = [v for v in self.versions() if str(v) in self.table.selected]
        self.beside.layout.display = "" if len(chosen) > 1 else "none"
        if len(chosen) < 2:
            return
        self.compared.html = f'<h4 class="wb-part">Compared</h4>{comparison_views.comparison(chosen)}'
        self.on_drawings.html = ""
        one, other = chosen[0], chosen[1]
        if len(chosen) == 2 and one.name == other.name:
            try:
                found = self._choice.backend.compare(one.name, (one.version, other.version))
            except WorkbenchError:
                self.on_drawings.html = (
                    '<p class="wb-caption">The back end compares two versions on visitors\' drawings once both were '
                    "deployed there, or one of them was a canary.</p>"
                )
            else:
                self.on_drawings.html = comparison_views.on_drawings(found)


def _order(value: Any) -> tuple[int, Any]:
    """Order nothing first, so that it is last in descending order."""
    return (0, 0) if value is None or value == "" else (1, value)
