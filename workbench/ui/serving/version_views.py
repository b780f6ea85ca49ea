"""Models as HTML: what serves, one version, several side by side, who changed what. Pure functions."""

import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import numpy as np

from workbench.models.registry import Version
from workbench.ui.evaluations import confusion
from workbench.ui.widgets.formats import megabytes, percent, unix_seconds
from workbench.ui.widgets.pieces import badge, when

FORMS = {
    "model.keras": "Keras",
    "saved_model": "SavedModel",
    "model.onnx": "ONNX",
    "model.tflite": "LiteRT",
}
BAD_CLASS = 0.005
"""By how much a class must be recognised worse than by the best version, to be marked."""
Served = Sequence[Mapping[str, Any]]


def sizes(version: Version) -> dict[str, int]:
    """Bytes of each form that the version has."""
    found: dict[str, int] = {}
    for path, file in version.manifest.files.items():
        form = path.partition("/")[0]
        if form in FORMS:
            found[form] = found.get(form, 0) + file.bytes
    return found


def interval(metrics: Mapping[str, Any]) -> str:
    """The 95 % interval of an accuracy; empty where there is none."""
    if metrics.get("low") is None or metrics.get("high") is None:
        return ""
    return f"{percent(metrics['low'])} to {percent(metrics['high'])}"


def deployment_state(name: str, version: int, served: Served) -> str:
    """What a version does now: ``deployed``, ``canary 10 %``, ``before``, or nothing."""
    for model in served:
        if model["name"] == name:
            canary = model.get("canary") or {}
            if model["version"] == version:
                return "deployed"
            if canary.get("version") == version:
                return f"canary {canary['percent']:g} %"
            if model.get("previous") == version:
                return "before"
    return ""


def overview(served: Served) -> str:
    """What answers now, since when."""
    rows = ""
    for model in served:
        canary = model.get("canary")
        name = f"{escape(model['name'])}:{model['version']}"
        beside = (
            f", with {escape(model['name'])}:{canary['version']} beside it for {canary['percent']:g} % of the drawings "
            f"since {when(unix_seconds(canary['since']))}"
            if canary
            else ""
        )
        before = f", before it {escape(model['name'])}:{model['previous']}" if model.get("previous") else ""
        rows += (
            f"<li>{badge('deployed')} <b>{name}</b> "
            f"<span>since {when(unix_seconds(model['since']))}{beside}{before}</span></li>"
        )
    return f'<ul class="wb-served" aria-label="What is deployed">{rows}</ul>'


def head(version: Version, state: str) -> str:
    """Name, state and where it comes from."""
    job = version.manifest.job
    origin = (
        f'<a href="deploy_cluster.ipynb?job={job}">job {job}</a>'
        if job
        else "the tutorial or the first start"
    )
    created = version.manifest.created
    at = f", {when(unix_seconds(created))}" if created else ""
    shown = badge(state.split(" ")[0], state) if state else ""
    return (
        f'<div class="wb-job-head"><h3>{escape(str(version))}</h3>{shown}'
        f'<span class="wb-muted">from {origin}{at}</span></div>'
    )


def facts(version: Version) -> str:
    """What one wants to know before deploying it."""
    manifest = version.manifest
    metrics, found, given = manifest.metrics, sizes(version), manifest.input
    shown = []
    if metrics.get("accuracy") is not None:
        shown.append(("Accuracy on the test part", percent(metrics["accuracy"])))
    if text := interval(metrics):
        shown.append(("95 % interval", text))
    if given:
        kind = "picture" if given.kind == "image" else "array"
        shown.append(("Input", f"{kind} {'×'.join(map(str, given.shape))}"))
    shown.append(("Forms", ", ".join(FORMS[form] for form in FORMS if form in found) or "–"))
    if found:
        shown.append(("Size of all forms", megabytes(sum(found.values()))))
    if manifest.training.seconds:
        shown.append(("Training time", f"{manifest.training.seconds:.0f} s"))
    items = "".join(f"<div><dt>{escape(term)}</dt><dd>{escape(value)}</dd></div>" for term, value in shown)
    missing = "".join(
        f'<p class="wb-caption">Not as {escape(FORMS.get(form, form))}: {escape(reason)}</p>'
        for form, reason in manifest.missing.items()
    )
    return f'<dl class="wb-facts">{items}</dl>{missing}'


def history(lines: Sequence[Mapping[str, Any]], name: str) -> str:
    """Who changed what, when and why, the latest first."""
    if not lines:
        return ""
    did = {"activate": "deployed", "rollback": "rolled back to", "canary": "tried"}
    rows = ""
    for line in reversed(lines):
        what = did.get(line["action"], line["action"])
        if line["action"] == "canary":
            share = line.get("percent") or 0
            what = f"tried on {share:g} %" if share else "ended the trial of"
        rows += (
            f"<tr><td>{when(unix_seconds(line['t']))}</td><td>{escape(line.get('who') or '–')}</td>"
            f"<td>{escape(what)} <b>{escape(name)}:{line['version']}</b></td>"
            f'<td class="wb-reason">{escape(line.get("reason") or "–")}</td></tr>'
        )
    heads = "".join(f'<th scope="col">{h}</th>' for h in ("When", "Who", "What", "Why"))
    return (
        '<h4 class="wb-part">What was deployed</h4><div class="wb-scroll" tabindex="0" role="region" aria-label="History">'
        f'<table class="wb-list"><thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


# Several side by side


def evaluation_of(version: Version) -> dict[str, Any]:
    """What ``evaluation.json`` holds; empty where there is none."""
    path = version.folder / "evaluation.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def comparison(versions: Sequence[Version]) -> str:
    """Figures, classes and confusion of several versions, a column each."""
    found = [evaluation_of(version) for version in versions]
    return _figures(versions, found) + _per_class(versions, found) + _confusions(versions, found)


def _table(label: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "".join(
        f'<tr><th scope="row">{escape(term)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for term, cells in rows
    )
    return (
        f'<div class="wb-scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="wb-list wb-beside">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _figures(versions: Sequence[Version], found: Sequence[Mapping[str, Any]]) -> str:
    metrics = [v.manifest.metrics for v in versions]
    accuracies = [m.get("accuracy") for m in metrics]
    best = max((a for a in accuracies if a is not None), default=None)
    rows: list[tuple[str, list[str]]] = [
        ("Accuracy", [_mark(percent(a), a == best) if a is not None else "–" for a in accuracies]),
        ("95 % interval", [interval(m) or "–" for m in metrics]),
        ("Test pictures", [f"{e['count']:,}" if e.get("count") else "–" for e in found]),
        ("Loss", [f"{m['loss']:.4f}" if m.get("loss") is not None else "–" for m in metrics]),
    ]
    every = [sizes(version) for version in versions]
    for form, name in FORMS.items():
        if any(form in one for one in every):
            rows.append((f"{name}, size", [megabytes(one[form]) if form in one else "–" for one in every]))
    return (
        _table("Figures", [str(v) for v in versions], rows) + f'<p class="wb-caption">{verdict(metrics)}</p>'
    )


def verdict(metrics: Sequence[Mapping[str, Any]]) -> str:
    """Whether the difference of the best two can be chance.

    >>> verdict([{"accuracy": 0.9, "low": 0.88, "high": 0.92}, {"accuracy": 0.95, "low": 0.93, "high": 0.97}])
    'The intervals do not overlap: the difference is hardly chance.'
    """
    known = sorted((m for m in metrics if m.get("low") is not None), key=lambda m: -m["accuracy"])[:2]
    if len(known) < 2:
        return "There is nothing to compare the accuracy with."
    if known[1]["high"] < known[0]["low"]:
        return "The intervals do not overlap: the difference is hardly chance."
    return "The intervals overlap: with other pictures the order may be another one."


def _mark(text: str, best: bool) -> str:
    return f"<b>{escape(text)}</b>" if best else escape(text)


def _per_class(versions: Sequence[Version], found: Sequence[Mapping[str, Any]]) -> str:
    classes = [{str(c["label"]): c for c in e.get("per_class", ())} for e in found]
    labels = list(dict.fromkeys(label for one in classes for label in one))
    if not labels:
        return ""
    rows = []
    for label in labels:
        recalls = [one.get(label, {}).get("recall") for one in classes]
        best = max((r for r in recalls if r is not None), default=0.0)
        cells = []
        for recall in recalls:
            behind = recall is not None and best - recall > BAD_CLASS
            text = "–" if recall is None else percent(recall)
            cells.append(f'<span class="wb-behind">{text}</span>' if behind else text)
        rows.append((label, cells))
    return (
        '<details class="wb-more" open><summary>By class</summary><p class="wb-caption">Of each class, how many pictures are '
        "recognised. Marked: half a point or more behind the best.</p>"
        + _table("By class", [str(v) for v in versions], rows)
        + "</details>"
    )


def _confusions(versions: Sequence[Version], found: Sequence[Mapping[str, Any]]) -> str:
    parts = ""
    for version, one in zip(versions, found, strict=True):
        if "confusion" in one:
            table = np.array(one["confusion"])
            labels = [str(label) for label in version.manifest.labels or range(len(table))]
            drawn = confusion(table, labels, title=str(version))
            parts += f"<div>{drawn}</div>"
    if not parts:
        return ""
    return f'<details class="wb-more"><summary>What was taken for what</summary><div class="wb-confusions">{parts}</div></details>'


def on_drawings(said: Mapping[str, Any], name: str) -> str:
    """How two versions differ on visitors' drawings and corrections, as the back end found."""
    one, other = said["versions"]
    drawings, corrections = said["drawings"], said["corrections"]
    text = []
    if drawings["count"]:
        share = drawings["agreed"] / drawings["count"]
        text.append(
            f"They agreed on {drawings['agreed']:,} of {drawings['count']:,} drawings ({percent(share, 1)})."
        )
    if corrections["count"]:
        told = ", ".join(
            f"{escape(name)}:{v} {corrections['versions'][str(v)]['right']}"
            for v in (one, other)
            if str(v) in corrections["versions"]
        )
        text.append(f"Of {corrections['count']:,} accepted corrections they recognise: {told}.")
    if not text:
        text = ["No drawing was answered by both yet (try one as a canary), and no correction is accepted."]
    figures = ""
    for case in drawings["disagreements"][:12]:
        answers = " · ".join(f"{v} says <b>{a['digit']}</b>" for v, a in case["answers"].items())
        figures += (
            f'<figure><img alt="" src="{escape(case["picture"])}"><figcaption>{answers}</figcaption></figure>'
        )
    grid = f'<div class="wb-pictures wb-cases">{figures}</div>' if figures else ""
    return f'<h4 class="wb-part">On visitors\' drawings</h4><p>{" ".join(text)}</p>{grid}'
