"""``workbench VERB``: the same functions as the pages, for a terminal and for scripts.

Exit codes: 0 done, 1 it failed, 2 wrong use, 3 not found. With ``--json`` standard output holds one JSON value and
nothing else; messages go to standard error.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from workbench import __version__
from workbench.errors import BadInput, NotFound, WorkbenchError
from workbench.settings import Settings, from_environment

DETACH_TIMEOUT_S = 120.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; give its exit code."""
    parsed = _parser().parse_args(arguments)
    try:
        return parsed.run(parsed, from_environment()) or 0
    except WorkbenchError as error:
        print(f"workbench: {error}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="workbench",
        description="Train Keras models, serve them, and draw digits at them.",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"workbench {__version__}")
    verbs = parser.add_subparsers(title="commands", metavar="COMMAND", required=True)

    def verb(
        name: str, run: Callable[[argparse.Namespace, Settings], int | None], text: str
    ) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=text, description=text, allow_abbrev=False)
        added.set_defaults(run=run)
        return added

    def listing(added: argparse.ArgumentParser) -> argparse.ArgumentParser:
        added.add_argument("--json", action="store_true", help="one JSON value on standard output")
        return added

    up = verb("up", _up, "start the back end, the drawing page and the dashboard")
    up.add_argument(
        "--detach", action="store_true", help="return once all of them are ready; they go on running"
    )
    verb("down", _down, "end all that runs here")
    listing(verb("status", _status, "what runs, where, and in which state"))
    listing(verb("models", _models, "the published model versions"))
    model = listing(verb("model", _model, "one version: its manifest"))
    model.add_argument("model", metavar="NAME[:V]")
    download = verb("download", _download, "write a version as a zip")
    download.add_argument("model", metavar="NAME[:V]")
    download.add_argument("file", metavar="FILE.zip", type=Path)
    deploy = listing(verb("deploy", _deploy, "put a version behind the back end"))
    deploy.add_argument("model", metavar="NAME[:V]")
    deploy.add_argument("--to", metavar="URL", help="another back end than the one here")
    rollback = listing(verb("rollback", _rollback, "let the version before answer again"))
    rollback.add_argument("name", metavar="NAME")
    rollback.add_argument("--to", metavar="URL", help="another back end than the one here")
    predict = listing(verb("predict", _predict, "ask the back end which digit a picture shows"))
    predict.add_argument("image", metavar="IMAGE", type=Path)
    return parser


def _up(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.services import state, supervisor

    if arguments.detach:
        return _up_detached(settings)
    try:
        supervisor.run(settings, _Console().show)
    except supervisor.AlreadyRunning as error:
        print(f"{error}; this is what runs (end it with: workbench down)", file=sys.stderr)
        if running := state.read(settings):
            print(_table(running.rows))
        return 0
    print("everything is ended", file=sys.stderr)
    return 0


def _up_detached(settings: Settings) -> int:
    from workbench.services import state

    if state.read(settings) is None:
        settings.logs.mkdir(parents=True, exist_ok=True)
        with (settings.logs / "up.log").open("wb") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "workbench.cli", "up"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        give_up = time.monotonic() + DETACH_TIMEOUT_S
        while not _settled(running := state.read(settings)):
            if child.poll() is not None:
                raise WorkbenchError(
                    f"up ended: {(settings.logs / 'up.log').read_text(errors='replace').strip()}"
                )
            if time.monotonic() > give_up:
                raise WorkbenchError(f"not ready after {DETACH_TIMEOUT_S:.0f} s; see: workbench status")
            time.sleep(0.1)
    else:
        running = state.read(settings)
        print("already up", file=sys.stderr)
    if running:
        print(_table(running.rows))
    return 0


def _settled(running: Any) -> bool:
    return running is not None and all(
        row.state not in ("starting", "restarting") or not row.url for row in running.rows
    )


def _down(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.services import supervisor

    count = supervisor.stop(settings)
    print(f"{count} processes ended" if count else "nothing was running", file=sys.stderr)


def _status(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.services import state

    running = state.read(settings)
    rows = running.rows if running else []
    if arguments.json:
        _print_json({"up": running is not None, "services": [asdict(row) for row in rows]})
    else:
        print(_table(rows) if rows else "nothing runs; start it with: workbench up")


def _models(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import registry

    found = registry.versions(settings)
    if arguments.json:
        _print_json([_describe(version) for version in found])
    elif not found:
        print("no model is published yet")
    else:
        rows = [
            (str(v), _percent(v.manifest.get("metrics", {}).get("accuracy")), v.manifest.get("created", ""))
            for v in found
        ]
        print(_columns([("MODEL", "ACCURACY", "PUBLISHED"), *rows]))


def _model(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import registry

    version = registry.find(arguments.model, settings)
    if arguments.json:
        _print_json(_describe(version))
        return
    manifest = version.manifest
    metrics = manifest.get("metrics", {})
    interval = [_percent(metrics.get(end)) for end in ("low", "high")]
    rows = [
        ("model", str(version)),
        ("published", manifest.get("created", "")),
        ("accuracy", f"{_percent(metrics.get('accuracy'))} (95 % interval {interval[0]} to {interval[1]})"),
        ("input", f"{manifest['input']['kind']} {'×'.join(map(str, manifest['input']['shape']))}"),
        ("preprocessing", manifest["preprocessing"]),
        ("labels", ", ".join(manifest["labels"])),
        ("folder", str(version.folder)),
        *((f"no {form}", reason) for form, reason in manifest.get("missing", {}).items()),
    ]
    print(_columns(rows))


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
    _print_json(said) if arguments.json else print(f"{version} is deployed")


def _rollback(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench import deployment

    said = deployment.rollback(arguments.name, _backend(arguments.to, settings), settings.deploy_token)
    _print_json(said) if arguments.json else print(f"{arguments.name}:{said['version']} is deployed again")


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
        _print_json(said)
    elif said["digit"] is None:
        print(said["reason"])
    else:
        print(f"{said['digit']} ({_percent(max(said['probabilities']))}, {said['model']}:{said['version']})")


def _backend(to: str | None, settings: Settings) -> str:
    return (to or f"http://127.0.0.1:{settings.backend_port}").rstrip("/")


def _describe(version: Any) -> dict[str, Any]:
    return {**version.manifest, "folder": str(version.folder)}


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _print_json(value: Any) -> None:
    print(json.dumps(value, indent=1, ensure_ascii=False))


def _columns(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]))]
    return "\n".join("  ".join(t.ljust(w) for t, w in zip(row, widths, strict=True)).rstrip() for row in rows)


def _table(rows: Sequence[Any]) -> str:
    shown = [
        (row.name, row.state, row.url if row.state == "ready" or not row.message else row.message)
        for row in rows
    ]
    return _columns([("WHAT", "STATE", "WHERE"), *shown])


class _Console:
    """What ``up`` prints: lines as things happen, one table when all is there, a progress line in a terminal."""

    def __init__(self) -> None:
        self.tabled = False
        self.progress = ""
        self.live = sys.stderr.isatty()

    def show(self, running: Any, line: str) -> None:
        if line:
            self._line(line)
        if not self.tabled and _settled(running) and running.rows:
            self.tabled = True
            self._line(_table(running.rows))
            self._line("Ctrl-C ends everything")
        model = next((row for row in running.rows if row.name == "first model"), None)
        if model and model.message and model.state not in ("done", "failed"):
            self._progress(model.message)

    def _line(self, text: str) -> None:
        if self.live and self.progress:
            print("\r\x1b[K", end="", file=sys.stderr)
            self.progress = ""
        print(text, file=sys.stderr, flush=True)

    def _progress(self, text: str) -> None:
        if self.live:
            print(f"\r\x1b[K{text}", end="", file=sys.stderr, flush=True)
            self.progress = text
        elif (stage := text.split(",")[0]) != self.progress:  # plain lines elsewhere: one a stage
            print(text, file=sys.stderr, flush=True)
            self.progress = stage


if __name__ == "__main__":
    sys.exit(main())
