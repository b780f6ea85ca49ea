"""Retraining: a request that trains with the accepted corrections, and what earlier ones gained."""

from collections.abc import Mapping, Sequence
from html import escape

import ipywidgets

from workbench.lineage import BeforeAfter, Share
from workbench.ui.draft import DRAFT, Draft
from workbench.ui.serving.choice import BackEndChoice
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.formats import percent
from workbench.ui.widgets.pieces import Html, table
from workbench.ui.widgets.visitor.browser import Browser
from workbench.verbs import retraining
from workbench.verbs.models import Version
from workbench.verbs.workbench import Workbench

HEADS = (
    "Version",
    "Learned",
    "Of these right, before → after",
    "Their writers' other digits",
    "Other writers",
    "Test part, before → after",
)
REPLACES = "This puts a request into the form of the cluster's page, in place of the draft there."


class RetrainingForm:
    """A button that keeps the accepted corrections as a data set, and prepares a request with them."""

    def __init__(
        self, workbench: Workbench, choice: BackEndChoice, browser: Browser, message: Message
    ) -> None:
        self._workbench, self._choice, self._browser = workbench, choice, browser
        self.sent, self.versions = Html(), Html()
        self.retrain = Action(
            "Send into a retraining",
            self._retrain,
            message,
            doing="Fetching the accepted corrections …",
            confirm=lambda: REPLACES,
            tooltip="Keep the accepted ones as a data set, and prepare a request that trains with them",
            primary=True,
        )
        row = ipywidgets.HBox([self.retrain.widget])
        row.add_class("wb-buttons")
        self.widgets = (row, self.sent, self.versions)

    def show(self, versions: Sequence[Version]) -> None:
        """Show what the versions that were trained with corrections gained by it."""
        self.versions.html = gains(versions)

    def _retrain(self) -> str:
        prepared = retraining.prepare(self._choice.backend, self._workbench.settings, self._workbench.store)
        parent, exported = prepared.parent, prepared.corrections
        self._browser[DRAFT] = Draft.of(prepared.recipe, name=parent.name, provider="local").keep()
        self.sent.html = (
            '<p class="wb-buttons-line"><a class="wb-button wb-primary" href="deploy_cluster.ipynb">Open the request</a> '
            f'<span class="wb-muted">the recipe of {escape(str(parent))}, which serves: it goes on from its weights, '
            "with the drawings added</span></p>"
        )
        count = len(exported.ids)
        return f"Version {exported.version} of the corrections has {count} drawing{'' if count == 1 else 's'}"


def gains(versions: Sequence[Version]) -> str:
    """Tabulate what versions that were trained with corrections gained by it; empty where there are none."""
    rows = ""
    for version in reversed(versions):
        used = version.manifest.corrections
        if used is None:
            continue
        writers = used.writers
        rows += (
            f"<tr><td><b>{escape(str(version))}</b>{_from(version)}</td><td>{len(used.used)} (version {used.version})</td>"
            f"<td>{_right(used.told)} → {_right(used.after)}</td>"
            f"<td>{_compared(writers.same if writers else None)}</td>"
            f"<td>{_compared(writers.others if writers else None)}</td>"
            f"<td>{_accuracy(used.metrics_before)} → {_accuracy(used.metrics_after or version.manifest.metrics)}</td></tr>"
        )
    if not rows:
        return ""
    return table("Trained with corrections", HEADS, rows)


def _from(version: Version) -> str:
    parent = version.manifest.parent
    if parent is None:
        return ""
    how = "goes on from" if parent.start == "weights" else "anew, with the recipe of"
    return f'<br><span class="wb-muted">{how} {escape(str(parent))}</span>'


def _compared(found: BeforeAfter | None) -> str:
    return f"{_right(found.before)} → {_right(found.after)}" if found else "–"


def _right(share: Share | None) -> str:
    return f"{share.right} of {share.of}" if share else "–"


def _accuracy(metrics: Mapping[str, float]) -> str:
    accuracy = metrics.get("accuracy")
    return "–" if accuracy is None else percent(accuracy)
