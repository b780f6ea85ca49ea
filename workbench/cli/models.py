"""``models``, ``model``, ``download``, ``deploy``, ``rollback``, ``corrections`` and ``predict``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from workbench.cli import output
from workbench.errors import BadInput, NotFound
from workbench.settings import Settings

AWS = "aws"
"""For ``--to``: the back end of the application on AWS."""


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    verbs.add("models", _models, "the published model versions", json=True)
    verbs.add("model", _model, "one version: its manifest", json=True).add_argument(
        "model", metavar="NAME[:V]"
    )
    download = verbs.add("download", _download, "write a version as a zip")
    download.add_argument("model", metavar="NAME[:V]")
    download.add_argument("file", metavar="FILE.zip", type=Path)
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
    for verb in (deploy, rollback, corrections):
        verb.add_argument("--to", metavar="URL", help="another back end than the one here, or: aws")
    predict = verbs.add("predict", _predict, "ask the back end which digit a picture shows", json=True)
    predict.add_argument("image", metavar="IMAGE", type=Path)


def _models(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.models import registry

    found = registry.versions(settings)
    if arguments.json:
        output.json([_describe(version) for version in found])
    elif not found:
        print("no model is published yet")
    else:
        rows = [
            (
                str(v),
                output.percent(v.manifest.get("metrics", {}).get("accuracy")),
                v.manifest.get("created", ""),
            )
            for v in found
        ]
        print(output.columns([("MODEL", "ACCURACY", "PUBLISHED"), *rows]))


def _model(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.models import registry

    version = registry.find(arguments.model, settings)
    if arguments.json:
        output.json(_describe(version))
        return
    manifest = version.manifest
    metrics = manifest.get("metrics", {})
    interval = [output.percent(metrics.get(end)) for end in ("low", "high")]
    rows = [
        ("model", str(version)),
        ("published", manifest.get("created", "")),
        (
            "accuracy",
            f"{output.percent(metrics.get('accuracy'))} (95 % interval {interval[0]} to {interval[1]})",
        ),
        ("input", f"{manifest['input']['kind']} {'×'.join(map(str, manifest['input']['shape']))}"),
        ("preprocessing", manifest["preprocessing"]),
        ("labels", ", ".join(manifest["labels"])),
        ("folder", str(version.folder)),
        *((f"no {form}", reason) for form, reason in manifest.get("missing", {}).items()),
    ]
    print(output.columns(rows))


def _download(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.models import registry

    if not arguments.file.parent.is_dir():
        raise BadInput(f"there is no folder {arguments.file.parent}; make it first")
    path = registry.download(registry.find(arguments.model, settings), arguments.file)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


def _deploy(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.backends import http
    from workbench.models import registry

    version = registry.find(arguments.model, settings)
    told = {
        "reason": arguments.reason,
        "who": settings.requester,
        "canary": arguments.canary,
        "anyway": arguments.anyway,
    }
    if arguments.to == AWS:
        from workbench.aws.session import Session
        from workbench.backends import aws

        said = aws.deploy(Session.open(settings), settings, version, **told)
    else:
        said = http.deploy(version, _backend(arguments.to, settings), settings.deploy_token, **told)
    if arguments.json:
        output.json(said)
    elif arguments.canary is None:
        print(f"{version} is deployed")
    elif arguments.canary:
        print(
            f"{version} answers {arguments.canary:g} % of the drawings, {version.name}:{said['version']} the rest"
        )
    else:
        print(f"{version.name}:{said['version']} answers all drawings")


def _rollback(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.backends import http

    told = {"reason": arguments.reason, "who": settings.requester}
    if arguments.to == AWS:
        from workbench.aws.session import Session
        from workbench.backends import aws

        said = aws.rollback(Session.open(settings), settings, arguments.name, **told)
    else:
        where = _backend(arguments.to, settings), settings.deploy_token
        said = http.rollback(arguments.name, *where, **told)
    output.json(said) if arguments.json else print(f"{arguments.name}:{said['version']} is deployed again")


def _corrections(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.action == "export":
        _export(arguments, settings)
    elif arguments.action in ("accept", "reject"):
        _review(arguments, settings)
    else:
        _list_corrections(arguments, settings)


def _export(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.to == AWS:
        from workbench.aws.session import Session
        from workbench.backends import aws

        exported = aws.export_corrections(Session.open(settings), settings)
    else:
        from workbench.backends import http

        where = _backend(arguments.to, settings), settings.deploy_token
        exported = http.export_corrections(*where, settings)
    if arguments.json:
        output.json(
            {"version": exported.version, "folder": str(exported.folder), "corrections": list(exported.ids)}
        )
    else:
        print(
            f"version {exported.version} of the corrections, {len(exported.ids)} drawings: {exported.folder}"
        )


def _review(arguments: argparse.Namespace, settings: Settings) -> None:
    if bool(arguments.ids) == arguments.all:
        raise BadInput(f"say which: workbench corrections {arguments.action} ID…, or --all that wait")
    ids = None if arguments.all else arguments.ids
    if arguments.to == AWS:
        from workbench.aws.session import Session
        from workbench.backends import aws

        done = aws.review(Session.open(settings), settings, ids, arguments.action)
    else:
        from workbench.backends import http

        where = _backend(arguments.to, settings), settings.deploy_token
        done = http.review_many(ids, arguments.action, *where)
    output.json(done) if arguments.json else print(f"{len(done)} {arguments.action}ed")


def _list_corrections(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.to == AWS:
        from workbench.aws.session import Session
        from workbench.backends import aws

        found = aws.corrections(Session.open(settings), settings, state=arguments.state)
    else:
        from workbench.backends import http

        where = _backend(arguments.to, settings), settings.deploy_token
        found = http.all_corrections(*where, state=arguments.state)
    if arguments.json:
        output.json(found)
    elif not found:
        print("no correction is here")
    else:
        rows = [
            (
                c["id"][:12],
                c["state"],
                "–" if c["predicted"] is None else str(c["predicted"]),
                str(c["digit"]),
                f"{c['model']}:{c['version']}" if c["model"] else "–",
                c["t"],
            )
            for c in found
        ]
        print(output.columns([("ID", "STATE", "SAID", "IS", "MODEL", "SENT"), *rows]))


def _predict(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.backends import http

    try:
        picture = arguments.image.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no picture {arguments.image}") from error
    except OSError as error:
        raise BadInput(f"{arguments.image} cannot be read: {error.strerror}") from error
    said = http.predict(picture, _backend(None, settings))
    if arguments.json:
        output.json(said)
    elif said["digit"] is None:
        print(said["reason"])
    else:
        print(
            f"{said['digit']} ({output.percent(max(said['probabilities']))}, {said['model']}:{said['version']})"
        )


def _backend(to: str | None, settings: Settings) -> str:
    return (to or settings.backend_service).rstrip("/")


def _describe(version: Any) -> dict[str, Any]:
    return {**version.manifest, "folder": str(version.folder)}
