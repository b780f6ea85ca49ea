"""Versions as HTML: what serves, one version, who changed what. Pure functions."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from workbench.backends.values import Change, Deployment
from workbench.ui.widgets.formats import duration, megabytes, percent, unix_seconds
from workbench.ui.widgets.pieces import badge, banner, table, when
from workbench.verbs.models import Damaged, Version, why_not_home

FORMS = {
    "model.keras": "Keras",
    "saved_model": "SavedModel",
    "model.onnx": "ONNX",
    "model.tflite": "LiteRT",
}


def sizes(version: Version) -> dict[str, int]:
    """Count the bytes of each form that the version has."""
    found: dict[str, int] = {}
    for path, file in version.manifest.files.items():
        form = path.partition("/")[0]
        if form in FORMS:
            found[form] = found.get(form, 0) + file.bytes
    return found


def interval(metrics: Mapping[str, Any]) -> str:
    """Give the 95 % interval of an accuracy, whose signs stay with their figures; empty where there is none."""
    if metrics.get("low") is None or metrics.get("high") is None:
        return ""
    return f"{percent(metrics['low'])} to {percent(metrics['high'])}".replace(" %", "\N{NO-BREAK SPACE}%")


def deployment_state(version: Version, served: Sequence[Deployment]) -> str:
    """Say what a version does now: ``deployed``, ``canary 10 %``, ``previous``, or nothing."""
    for model in served:
        if model.name == version.name:
            if model.version == version.version:
                return "deployed"
            if model.canary and model.canary.version == version.version:
                return f"canary {model.canary.percent:g} %"
            if model.previous == version.version:
                return "previous"
    return ""


def damaged(found: Sequence[Damaged]) -> str:
    """Name the versions that cannot be read; empty where there are none."""
    return "".join(
        banner(f"{one.name}:{one.version} is damaged and left out", f"{one.why}. Its folder: {one.folder}")
        for one in found
    )


def overview(served: Sequence[Deployment]) -> str:
    """Show what answers now, since when."""
    rows = ""
    for model in served:
        name, canary = escape(model.name), model.canary
        beside = (
            f", with {name}:{canary.version} beside it for {canary.percent:g} % of the drawings "
            f"since {when(unix_seconds(canary.since))}"
            if canary
            else ""
        )
        before = f", before it {name}:{model.previous}" if model.previous else ""
        rows += (
            f"<li>{badge('deployed')} <b>{name}:{model.version}</b> "
            f"<span>since {when(unix_seconds(model.since))}{beside}{before}</span></li>"
        )
    return f'<ul class="wb-served" aria-label="What is deployed">{rows}</ul>'


def head(version: Version, state: str) -> str:
    """Show name, state and origin."""
    job = version.manifest.job
    origin = (
        f'<a href="deploy_cluster.ipynb?job={job}">job {job}</a>'
        if job
        else "the tutorial or the first start"
    )
    published = version.manifest.published
    at = f", {when(published.timestamp())}" if published else ""
    shown = badge(state.split(" ")[0], state) if state else ""
    return (
        f'<div class="wb-job-head"><h3>{escape(str(version))}</h3>{shown}'
        f'<span class="wb-muted">from {origin}{_parent(version)}{at}</span></div>'
    )


def _parent(version: Version) -> str:
    """The version that its training went on from, or whose recipe it took."""
    parent = version.manifest.parent
    if parent is None:
        return ""
    how = "which went on from" if parent.start == "weights" else "with the recipe of"
    return f", {how} {escape(str(parent))}"


def links(version: Version) -> str:
    """Link what can be had of a version: all of it, and the page to take home; why there is none is said after the facts."""
    href, name = (
        f"/workbench/models/{escape(version.name)}/{version.version}",
        escape(f"{version.name}-{version.version}"),
    )
    home = (
        ""
        if why_not_home(version)
        else f'<a class="wb-button" href="{href}.html" download="{name}.html" '
        'title="One page that draws and answers by itself, on a phone without a network too">Take it home</a> '
    )
    return f'{home}<a class="wb-button" href="{href}.zip" download="{name}.zip">Download</a>'


def facts(version: Version) -> str:
    """Show what one wants to know before deploying it."""
    manifest = version.manifest
    metrics, found = manifest.metrics, sizes(version)
    shown = []
    if metrics.get("accuracy") is not None:
        shown.append(("Accuracy on the test part", percent(metrics["accuracy"])))
    if text := interval(metrics):
        shown.append(("95 % interval", text))
    for name, given in ({} if manifest.input is None and not manifest.inputs else manifest.feeds).items():
        kind = {"image": "picture", "text": "text"}.get(given.kind, "array")
        shown.append((f"Input {name}" if manifest.inputs else "Input", f"{kind} {given.show_shape()}"))
    for one in manifest.outputs:
        shown.append((f"Output {one.name}", _figure(one.metrics)))
    shown.append(("Forms", ", ".join(FORMS[form] for form in FORMS if form in found) or "–"))
    if found:
        shown.append(("Size of all forms", megabytes(sum(found.values()))))
    if manifest.training.seconds:
        shown.append(("Training time", duration(manifest.training.seconds)))
    items = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>" for term, value in shown)
    missing = "".join(
        f'<p class="wb-caption">Not as {escape(FORMS.get(form, form))}: {escape(reason)}</p>'
        for form, reason in manifest.missing.items()
    )
    if reason := why_not_home(version):
        missing += f'<p class="wb-caption">{escape(reason)}</p>'
    return f'<dl class="wb-facts">{items}</dl>{missing}'


def _figure(metrics: Mapping[str, float]) -> str:
    if "accuracy" in metrics:
        return percent(metrics["accuracy"])
    if "mean_error" in metrics:
        return f"off by {metrics['mean_error']:.4g} in the mean"
    return "not measured"


def history(changes: Sequence[Change], name: str) -> str:
    """Show who changed what, when and why, the latest first."""
    if not changes:
        return ""
    rows = "".join(
        f"<tr><td>{when(unix_seconds(change.t))}</td><td>{escape(change.who or '–')}</td>"
        f"<td>{escape(_did(change))} <b>{escape(name)}:{change.version}</b></td>"
        f'<td class="wb-reason">{escape(change.reason or "–")}</td></tr>'
        for change in reversed(changes)
    )
    return table("What was deployed", ("When", "Who", "What", "Why"), rows, label="History")


def _did(change: Change) -> str:
    if change.action == "canary":
        return f"started a canary of {change.percent:g} %," if change.percent else "ended the canary"
    return {"activate": "deployed", "rollback": "rolled back to"}.get(change.action, change.action)
