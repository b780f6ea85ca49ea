"""``models``, ``model``, ``download``, ``deploy``, ``rollback``, ``corrections`` and ``predict``."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench.cli import output
from workbench.errors import BadInput
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs import backends
    from workbench.verbs.models import Version


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    verbs.add("models", _models, "the published model versions", json=True)
    verbs.add("model", _model, "one version: its manifest", json=True).add_argument(
        "model", metavar="NAME[:V]"
    )
    download = verbs.add(
        "download", _download, "write a version as a zip, or as one page that answers by itself"
    )
    download.add_argument("model", metavar="NAME[:V]")
    download.add_argument("file", metavar="FILE.zip", type=Path, nargs="?")
    download.add_argument(
        "--html", metavar="FILE.html", type=Path, help="one page that draws and answers without a network"
    )
    deploy = verbs.add("deploy", _deploy, "put a version behind the back end", json=True)
    deploy.add_argument("model", metavar="NAME[:V]")
    deploy.add_argument(
        "--canary",
        metavar="PERCENT",
        type=float,
        help="let it answer this share of the drawings beside the active version; 0 ends that",
    )
    deploy.add_argument(
        "--anyway", action="store_true", help="also if it was retrained and is worse on the held-out part"
    )
    rollback = verbs.add("rollback", _rollback, "let the version before answer again", json=True)
    rollback.add_argument("name", metavar="NAME")
    for verb in (deploy, rollback):
        verb.add_argument("--reason", default="", help="why; the back end's history keeps it")
    corrections = verbs.add(
        "corrections", _corrections, "what visitors corrected: list, review, export", json=True
    )
    corrections.add_argument(
        "action", nargs="?", default="list", choices=["list", "export", "accept", "reject"]
    )
    corrections.add_argument(
        "ids", nargs="*", metavar="ID", help="of accept and reject; 6 characters are enough"
    )
    corrections.add_argument("--state", choices=["waiting", "accepted", "rejected"], help="of the list")
    corrections.add_argument("--all", action="store_true", help="accept or reject all that wait")
    corrections.add_argument("--writer", metavar="NAME", help="accept or reject all that wait of a writer")
    corrections.add_argument(
        "--anyway", action="store_true", help="accept also what the model is certain of being another digit"
    )
    predict = verbs.add("predict", _predict, "ask the back end which digit a picture shows", json=True)
    for verb in (deploy, rollback, corrections, predict):
        verb.add_argument("--to", metavar="URL", help="another back end than the one here, or: aws")
    predict.add_argument(
        "image", metavar="IMAGE", nargs="?", help="a file; with --model a URL, too; not with all --inputs"
    )
    predict.add_argument(
        "--model",
        metavar="MODEL",
        help="another one: NAME[:V] that serves, or a .zip, .keras or .onnx file or its URL",
    )
    predict.add_argument(
        "--labels", metavar="SET", help="Mnist, Cifar10 or FashionMnist, for a model file or URL"
    )
    for option, name, said in (
        ("--size", "WxHxC", "what the model takes"),
        ("--layout", "AXES", "which axis of its input is which, NHWC or NCHW"),
        ("--signature", "NAME", "of a SavedModel"),
        ("--output", "NAME", "the one that is meant, of several"),
        ("--range", "LOW,HIGH", "what black and white are for it, as 0,1"),
        ("--inputs", "JSON", 'one example by the model\'s names, as {"age": 31}'),
    ):
        predict.add_argument(option, metavar=name, default="", help=said)


def _models(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import models

    found = models.versions(settings)
    for one in models.damaged(settings):
        print(f"workbench: {output.plain(str(one))}", file=sys.stderr)
    if arguments.json:
        output.json([_describe(version) for version in found])
    elif not found:
        print("no model is published yet")
    else:
        rows = [
            (
                str(v),
                output.percent(v.manifest.accuracy),
                v.manifest.created if v.manifest.published else "–",
            )
            for v in found
        ]
        print(output.columns([("MODEL", "ACCURACY", "PUBLISHED"), *rows]))


def _model(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import models

    version = models.find(arguments.model, settings)
    if arguments.json:
        output.json(_describe(version))
        return
    manifest = version.manifest
    metrics = manifest.metrics
    interval = [output.percent(metrics.get(end)) for end in ("low", "high")]
    rows = [
        ("model", str(version)),
        ("published", manifest.created if manifest.published else "–"),
        (
            "accuracy",
            f"{output.percent(metrics.get('accuracy'))} (95 % interval {interval[0]} to {interval[1]})",
        ),
        *(
            ("input" if len(manifest.feeds) == 1 else f"input {name}", f"{one.kind} {one.show_shape()}")
            for name, one in manifest.feeds.items()
        ),
        *((f"output {one.name}", _figures(one.kind, one.metrics)) for one in manifest.outputs),
        ("preprocessing", manifest.preprocessing),
        ("labels", ", ".join(manifest.labels)),
        *_lineage(version),
        ("folder", str(version.folder)),
        *((f"no {form}", reason) for form, reason in manifest.missing.items()),
    ]
    print(output.columns(rows))


def _lineage(version: "Version") -> list[tuple[str, str]]:
    """What a retraining went on from, and whom it reads better."""
    parent, used = version.manifest.parent, version.manifest.corrections
    rows = []
    if parent:
        how = f"only by its recipe: {parent.why}" if parent.start == "recipe" else "by its weights"
        rows.append(("goes on from", f"{parent}, {how}"))
    writers = used.writers if used else None
    for what, found in (
        ("those writers", writers.same if writers else None),
        ("other writers", writers.others if writers else None),
    ):
        if found:
            before, after = found.before, found.after
            rows.append((what, f"{before.right} of {before.of} right before, {after.right} after"))
    return rows


def _download(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import models

    if (arguments.file is None) == (arguments.html is None):
        raise BadInput("say where to: FILE.zip, or --html FILE.html")
    if arguments.html is not None:
        path = models.take_home(arguments.model, arguments.html, settings)
    else:
        path = models.download(arguments.model, arguments.file, settings)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


def _deploy(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import backends

    version, now = backends.deploy(
        arguments.model,
        settings,
        to=arguments.to,
        reason=arguments.reason,
        canary=arguments.canary,
        anyway=arguments.anyway,
    )
    if arguments.json:
        output.json(now.as_json())
    elif arguments.canary is None:
        print(f"{version} is deployed")
    elif arguments.canary:
        print(f"{version} answers {arguments.canary:g} % of the drawings, {now} the rest")
    else:
        print(f"{now} answers all drawings")


def _rollback(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import backends

    now = backends.rollback(arguments.name, settings, to=arguments.to, reason=arguments.reason)
    output.json(now.as_json()) if arguments.json else print(f"{now} is deployed again")


def _corrections(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.action == "export":
        _export(arguments, settings)
    elif arguments.action in ("accept", "reject"):
        _review(arguments, settings)
    else:
        _list_corrections(arguments, settings)


def _export(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import backends

    exported = backends.export(settings, to=arguments.to)
    if arguments.json:
        output.json(
            {"version": exported.version, "folder": str(exported.folder), "corrections": list(exported.ids)}
        )
    else:
        print(
            f"version {exported.version} of the corrections, {len(exported.ids)} drawings: {exported.folder}"
        )


def _review(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import backends

    if bool(arguments.ids) + arguments.all + (arguments.writer is not None) != 1:
        raise BadInput(
            f"say which: workbench corrections {arguments.action} ID…, or --all that wait, or --writer NAME"
        )
    reviewed = backends.review(
        arguments.ids or None,
        arguments.action,
        settings,
        to=arguments.to,
        writer=arguments.writer,
        anyway=arguments.anyway,
    )
    if arguments.json:
        output.json([correction.as_json() for correction in reviewed.done])
    else:
        print(f"{len(reviewed.done)} {arguments.action}ed")
    for left in reviewed.left:
        print(
            f"{left.id[:12]} is left: it is said to be a {left.digit}, but {left.absurd}; --anyway accepts it",
            file=sys.stderr,
        )


def _list_corrections(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import backends

    found = backends.corrections(settings, to=arguments.to, state=arguments.state)
    if arguments.json:
        output.json([correction.as_json() for correction in found])
    elif not found:
        print("no correction is here")
    else:
        rows = [
            (
                c.id[:12],
                c.state,
                "–" if c.predicted is None else str(c.predicted),
                "–" if c.sure is None else output.sure(c.sure),
                str(c.digit),
                (c.writer or f"no name, {c.session}") if c.session else "a visitor",
                f"{c.model}:{c.version}" if c.model else "–",
                c.t,
            )
            for c in found
        ]
        print(output.columns([("ID", "STATE", "SAID", "SURE", "IS", "BY", "MODEL", "SENT"), *rows]))


def _figures(kind: str, metrics: Mapping[str, float]) -> str:
    if "accuracy" in metrics:
        return f"{kind}, accuracy {output.percent(metrics['accuracy'])}"
    told = ", ".join(f"{name.replace('_', ' ')} {value:.4g}" for name, value in metrics.items())
    return f"{kind}, {told or 'not measured'}"


def _predict(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs import backends

    how = backends.How(
        arguments.size,
        arguments.layout,
        arguments.signature,
        arguments.output,
        arguments.range,
        arguments.inputs,
    )
    if arguments.image is None and not arguments.inputs:
        raise BadInput("give a picture: workbench predict IMAGE; or, with --model, --inputs")
    if arguments.model:
        _serve(arguments, how, settings)
        return
    if arguments.labels or how.as_form():
        raise BadInput(
            "--labels, --size, --layout, --signature, --output, --range and --inputs are about a --model"
        )
    said = backends.predict(Path(arguments.image), settings, to=arguments.to)
    if arguments.json:
        output.json(said.as_json())
    elif said.digit is None or said.probabilities is None:
        print(said.reason)
    else:
        print(
            f"{said.label or said.digit} ({output.sure(max(said.probabilities))}, {said.model}:{said.version})"
        )


def _serve(arguments: argparse.Namespace, how: "backends.How", settings: Settings) -> None:
    from workbench.verbs import backends, models

    said = backends.serve(
        arguments.image, arguments.model, settings, labels=arguments.labels or "", how=how, to=arguments.to
    )
    if arguments.json:
        output.json(said.as_json())
    elif said.scores is None:
        print(said.reason)
    elif said.kind == "values" or said.label is None:
        print(_numbers(said.scores), f"({said.model})")
    elif not said.scores or None in said.scores:
        print(f"{said.label} ({said.model})")
    else:
        sure = models.sure(said.scores, said.kind)
        print(f"{said.label} ({output.sure(max(sure))}, {said.model})")
    for one in () if arguments.json else said.outputs:
        if one.name != said.output:
            label = "" if one.label is None else f"{one.label} "
            print(f"{one.name}: {output.plain(label)}{_numbers(one.scores)}")


def _numbers(values: Sequence[float | None]) -> str:
    return ", ".join("–" if value is None else f"{value:.6g}" for value in values)


def _describe(version: "Version") -> dict[str, Any]:
    return {**version.manifest.as_json(), "folder": str(version.folder)}
