"""All versions and what serves: compare, deploy, try, roll back, download."""

from collections.abc import Callable, Mapping
from html import escape
from typing import Any

import ipywidgets

from workbench.errors import BadInput, NotFound, WorkbenchError
from workbench.models import registry
from workbench.models.registry import Version
from workbench.ui import evaluations
from workbench.ui.serving import version_views
from workbench.ui.serving.look import BackEnd, Look
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.address import Address
from workbench.ui.widgets.formats import megabytes, unix_seconds
from workbench.ui.widgets.pieces import Html, banner, waiting
from workbench.ui.widgets.poll import Newest
from workbench.ui.widgets.requester import Requester
from workbench.ui.widgets.table import Column, Facet, Page, Query, Table
from workbench.verbs.jobs import Control

COLUMNS = (
    Column("model", "Model"),
    Column("version", "Version", "number"),
    Column("standing", "Deployed", "state"),
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
    """Shows the registry and the back end; keeps nothing of its own.

    Parameters
    ----------
    changed
        Called when something was deployed or rolled back.
    """

    def __init__(
        self,
        workbench: Control,
        backend: BackEnd,
        requester: Requester,
        address: Address,
        changed: Callable[[], None],
    ) -> None:
        self._workbench, self._backend = workbench, backend
        self._requester, self._address, self._changed = requester, address, changed
        self._served: version_views.Served = ()
        self._away = False
        self._version: Version | None = None
        self.served, self.head, self.facts = Html(), Html(), Html()
        self.links, self.history, self.evaluation = Html(), Html(), Html()
        self.compared, self.on_drawings = Html(), Html()
        self.message = Message()
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
        self._make_actions()
        self._lay_out()
        self._opening, self._comparing = Newest(self._open), Newest(self._compare)
        self.table.observe(lambda _: self._opening.ask(), "opened")
        self.table.observe(lambda _: self._comparing.ask(), "selected")
        address.on_arrival(self._arrived)
        requester.on_name(lambda _: self._allow())

    def show(self, look: Look) -> None:
        """Show what a look found; called when it differs from the one before."""
        self._served, self._away = look.models, bool(look.problem)
        if look.problem:
            self.served.html = banner("The back end does not answer", look.problem)
        elif look.models:
            self.served.html = version_views.overview(look.models)
        else:
            self.served.html = waiting("Nothing is deployed: open a version below and press Deploy.")
        self.again.widget.layout.display = "" if look.problem else "none"
        self.table.fetch_now()
        self._open()

    def versions(self) -> list[Version]:
        """All that are published."""
        return registry.versions(self._workbench.settings)

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
            and all(w in f"{r['model']}:{r['version']} {r['standing']}".casefold() for w in words)
        ]
        rows.sort(key=lambda r: (r["model"], r["version"]))
        rows.sort(key=lambda r: _order(r[query.sort]), reverse=query.descending)
        count = {name: sum(v.name == name for v in found) for name in names}
        return Page(rows[query.first : query.first + query.count], len(rows), {"model": count})

    def _row(self, version: Version) -> dict[str, Any]:
        manifest = version.manifest
        metrics, found = manifest.metrics, version_views.sizes(version)
        created = manifest.created
        return {
            "key": str(version),
            "model": version.name,
            "version": version.version,
            "standing": version_views.deployment_state(version.name, version.version, self._served),
            "accuracy": metrics.get("accuracy"),
            "interval": version_views.interval(metrics),
            "size": megabytes(sum(found.values())) if found else "–",
            "job": manifest.job,
            "created": unix_seconds(created) if created else None,
        }

    # The version that is open

    def _arrived(self, values: Mapping[str, str]) -> None:
        if model := values.get("model"):
            self.table.opened = model

    def _open(self) -> None:
        reference = self.table.opened
        self._address.put("model", reference)
        try:
            version = registry.find(str(reference), self._workbench.settings) if reference else None
        except (NotFound, BadInput) as error:
            self.failed.fail(error, "Opening the model")
            self._version, self.page.layout.display = None, "none"
            return
        if version is None or str(version) != str(self._version or ""):
            self.message.clear()
            self.failed.clear()
        self._version = version
        self.page.layout.display = "" if version else "none"
        if version is None:
            return
        state = version_views.deployment_state(version.name, version.version, self._served)
        self.head.html, self.facts.html = version_views.head(version, state), version_views.facts(version)
        path = f"{escape(version.name)}/{version.version}.zip"
        self.links.html = (
            f'<a class="wb-button" href="/workbench/models/{path}" download="{escape(version.name)}-{version.version}.zip">'
            "Download</a>"
        )
        found = evaluations.published(version)
        self.evaluation.html = (
            f'<details class="wb-more"><summary>Evaluation</summary>{found}</details>' if found else ""
        )
        self._show_history(version.name)
        self._allow()

    def _show_history(self, name: str) -> None:
        if self._away or not any(m["name"] == name for m in self._served):
            self.history.html = ""
            return
        try:
            self.history.html = version_views.history(self._backend.history(name), name)
        except WorkbenchError as error:
            self.history.html = banner("The history cannot be read", str(error))

    def _compare(self) -> None:
        chosen = [v for v in self.versions() if str(v) in self.table.selected]
        self.beside.layout.display = "" if len(chosen) > 1 else "none"
        if len(chosen) < 2:
            return
        self.compared.html = f'<h4 class="wb-part">Compared</h4>{version_views.comparison(chosen)}'
        self.on_drawings.html = ""
        one, other = chosen[0], chosen[1]
        if len(chosen) == 2 and one.name == other.name:
            try:
                said = self._backend.compare(one.name, one.version, other.version)
            except WorkbenchError:
                self.on_drawings.html = (
                    '<p class="wb-caption">The back end compares two versions on visitors\' drawings once both were '
                    "deployed or tried there.</p>"
                )
            else:
                self.on_drawings.html = version_views.on_drawings(said, one.name)

    # What may be done

    def _make_actions(self) -> None:
        self.reason = ipywidgets.Text(description="Why", placeholder="better on sevens")
        self.canary = ipywidgets.Text(description="Percent of the drawings", placeholder="100")
        self.anyway = ipywidgets.Checkbox(
            False, description="Also if it was retrained and is worse", indent=False
        )
        self.failed = Message()
        self.deploy = Action(
            "Deploy",
            self._deploy,
            self.message,
            working="Deploying …",
            doing="Sending the version; the back end checks it before it answers …",
            tooltip="Let the drawing page answer with this version",
            primary=True,
        )
        self.rollback = Action(
            "Roll back",
            self._roll_back,
            self.message,
            working="Rolling back …",
            confirm=self._ask_rollback,
            tooltip="Let the version answer again that did before",
        )
        self.again = Action("Try again", self._changed, self.failed, tooltip="Ask the back end again")

    def _lay_out(self) -> None:
        fields = ipywidgets.Box([self.reason, self.canary])
        self.reason.add_class("wb-name")
        fields.add_class("wb-form")
        close = ipywidgets.Button(description="Close", tooltip="Back to the list")
        close.on_click(lambda _: setattr(self.table, "opened", None))
        buttons = ipywidgets.HBox([self.deploy.widget, self.rollback.widget, self.links, close])
        buttons.add_class("wb-buttons")
        parts = (
            self.head,
            self.facts,
            fields,
            self.anyway,
            buttons,
            self.message,
            self.history,
            self.evaluation,
        )
        self.page = ipywidgets.VBox(list(parts))
        self.beside = ipywidgets.VBox([self.compared, self.on_drawings])
        for card in (self.page, self.beside):
            card.add_class("wb").add_class("wb-card")
            card.layout.display = "none"
        self.page.add_class("wb-version")
        self.beside.add_class("wb-compare")
        self.again.widget.layout.display = "none"
        self.widget = ipywidgets.VBox(
            [self.served, self.again.widget, self.failed, self.table, self.beside, self.page]
        )
        self.widget.add_class("wb").add_class("wb-wide").add_class("wb-serving")

    def _allow(self) -> None:
        version = self._version
        if version is None:
            return
        who = bool(self._requester.name)
        why_not = (
            "Say who you are first, at the top of the page" if not who else "The back end does not answer"
        )
        self.deploy.allow(who and not self._away, why_not)
        before = self._before(version.name)
        self.rollback.widget.layout.display = "" if before else "none"
        self.rollback.allow(who and not self._away, why_not)
        corrected = version.manifest.corrections is not None
        self.anyway.layout.display = "" if corrected else "none"

    def _before(self, name: str) -> tuple[int, int] | None:
        """The version that serves and the one that did before."""
        for model in self._served:
            if model["name"] == name and model.get("previous"):
                return int(model["version"]), int(model["previous"])
        return None

    def _deploy(self) -> str:
        version = self._known()
        share = percent_of(self.canary.value)
        reason = self.reason.value.strip()
        if not reason:
            raise BadInput("say why, in a few words: the history keeps it")
        self._backend.deploy(
            version, who=self._requester.name, reason=reason, canary=share, anyway=self.anyway.value
        )
        self.reason.value = self.canary.value = ""
        self._changed()
        if share is None:
            return f"{version} answers on the drawing page now"
        return (
            f"{version} answers {share:g} % of the drawings" if share else f"The trial of {version} has ended"
        )

    def _ask_rollback(self) -> str:
        there = self._before(self._known().name)
        if there is None:
            return "Nothing served before. Go on?"
        name = escape(self._known().name)
        return f"Let {name}:{there[1]} answer again instead of {name}:{there[0]}?"

    def _roll_back(self) -> str:
        name = self._known().name
        version = self._backend.rollback(name, who=self._requester.name, reason=self.reason.value.strip())
        self.reason.value = ""
        self._changed()
        return f"{name}:{version} answers on the drawing page again"

    def _known(self) -> Version:
        if self._version is None:
            raise NotFound("no version is open")
        return self._version


def percent_of(text: str) -> float | None:
    """What stands in the field: a share of the drawings, or ``None`` for all of them.

    >>> percent_of(" 10 % "), percent_of("")
    (10.0, None)
    """
    text = text.strip().removesuffix("%").strip().replace(",", ".")
    if not text:
        return None
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 100:
        raise BadInput(
            f"percent of the drawings: a number from 0 to 100, or nothing for all. Received: {text!r}"
        )
    return None if share == 100 else share


def _order(value: Any) -> tuple[int, Any]:
    """Where there is nothing comes first, so that it is last in descending order."""
    return (0, 0) if value is None or value == "" else (1, value)
