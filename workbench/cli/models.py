"""``models``, ``model``, ``download``, ``deploy``, ``rollback`` and ``predict``."""

import argparse
import sys
from pathlib import Path
from typing import Any

from workbench.cli import output
from workbench.errors import BadInput, NotFound
from workbench.settings import Settings


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
    rollback = verbs.add("rollback", _rollback, "let the version before answer again", json=True)
    rollback.add_argument("name", metavar="NAME")
    for verb in (deploy, rollback):
        verb.add_argument("--to", metavar="URL", help="another back end than the one here")
    predict = verbs.add("predict", _predict, "ask the back end which digit a picture shows", json=True)
    predict.add_argument("image", metavar="IMAGE", type=Path)


def _models(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import registry

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
    from workbench import registry

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
    from workbench import registry

    if not arguments.file.parent.is_dir():
        raise BadInput(f"there is no folder {arguments.file.parent}; make it first")
    path = registry.download(registry.find(arguments.model, settings), arguments.file)
    print(f"{path}: {path.stat().st_size / 1e6:.1f} MB", file=sys.stderr)


def _deploy(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import deployment, registry

    version = registry.find(arguments.model, settings)
    said = deployment.deploy(version, _backend(arguments.to, settings), settings.deploy_token)
    output.json(said) if arguments.json else print(f"{version} is deployed")


def _rollback(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import deployment

    said = deployment.rollback(arguments.name, _backend(arguments.to, settings), settings.deploy_token)
    output.json(said) if arguments.json else print(f"{arguments.name}:{said['version']} is deployed again")


def _predict(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import deployment

    try:
        picture = arguments.image.read_bytes()
    except FileNotFoundError as error:
        raise NotFound(f"there is no picture {arguments.image}") from error
    except OSError as error:
        raise BadInput(f"{arguments.image} cannot be read: {error.strerror}") from error
    said = deployment.predict(picture, _backend(None, settings))
    if arguments.json:
        output.json(said)
    elif said["digit"] is None:
        print(said["reason"])
    else:
        print(
            f"{said['digit']} ({output.percent(max(said['probabilities']))}, {said['model']}:{said['version']})"
        )


def _backend(to: str | None, settings: Settings) -> str:
    return (to or f"http://127.0.0.1:{settings.backend_port}").rstrip("/")


def _describe(version: Any) -> dict[str, Any]:
    return {**version.manifest, "folder": str(version.folder)}
