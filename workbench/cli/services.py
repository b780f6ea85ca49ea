"""``up``, ``down``, ``status`` and ``doctor``."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench.cli import output
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs.services import Found, Row, State

HEAD = ("WHAT", "STATE", "WHERE")
MARKS = {True: "✓", False: "✗", None: "·"}
"""Fine, to be mended, and what cannot be told or matters to some only."""


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    up = verbs.add("up", _up, "start the back end, the drawing page and the dashboard")
    up.add_argument(
        "--detach", action="store_true", help="return once all of them are ready; they go on running"
    )
    up.add_argument(
        "--only",
        action="append",
        metavar="SERVICE",
        choices=["backend", "frontend", "dashboard"],
        help="start only this one (again for more): backend, frontend or dashboard, which brings the job queue",
    )
    verbs.add("down", _down, "end all that runs here")
    verbs.add("status", status, "what runs, where, and in which state", json=True)
    doctor = verbs.add(
        "doctor", _doctor, "what works, what does not, what to do; 1 if something needs doing", json=True
    )
    doctor.add_argument(
        "--provider", choices=["local", "aws"], default="local", help="this computer, or the account on AWS"
    )


def _up(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.verbs import services

    only = arguments.only or ()
    if arguments.detach:
        return up_detached(settings, only)
    try:
        services.run(settings, _Console().show, only)
    except services.AlreadyUp as error:
        print(f"{error}; this is what runs (end it with: workbench down)", file=sys.stderr)
        if error.running:
            print(_table(error.running.rows))
        return 0
    print("everything is ended", file=sys.stderr)
    return 0


def up_detached(settings: Settings, only: Sequence[str] = ()) -> int:
    """Start everything and return once it is ready; what runs already is left alone."""
    from workbench.verbs import services

    running, started = services.up(settings, only)
    if not started:
        print("already up", file=sys.stderr)
    if running:
        print(_table(running.rows))
    return 0


def _down(arguments: argparse.Namespace, settings: Settings) -> None:
    down(settings)


def down(settings: Settings) -> None:
    """End all that runs here."""
    from workbench.verbs import services

    count = services.down(settings)
    print(
        f"{count} process{'' if count == 1 else 'es'} ended" if count else "nothing was running",
        file=sys.stderr,
    )


def status(arguments: argparse.Namespace, settings: Settings) -> None:
    """Print what runs here."""
    from workbench.verbs import services

    now = services.status(settings)
    running, warm = now.running, now.prewarmed
    rows = running.rows if running else []
    if arguments.json:
        output.json(
            {
                "up": running is not None,
                "services": [asdict(row) for row in rows],
                "prewarmed": None if warm is None else {"pid": warm.pid, "since": warm.created},
                "machines": [_machine(found) for found in now.machines],
            }
        )
        return
    shown = [_shown(row) for row in rows]
    if warm is not None:
        shown.append(("prewarmed process", "waits", f"process {warm.pid}, from which machines are forked"))
    shown += [(f"{found.cluster} {found.place}", "runs", f"process {found.pid}") for found in now.machines]
    if not running:
        print("no service runs; start them with: workbench up", file=sys.stderr)
    if shown:
        print(output.columns([HEAD, *shown]))


def _doctor(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.verbs.doctor import doctor

    found = []
    for one in doctor(settings, arguments.provider):
        found.append(one)
        if not arguments.json:
            print(output.plain(f"{MARKS[one.ok]}  {one.check}: {one.said}"), flush=True)
            if one.fix:
                print(output.plain(f"   → {one.fix}"), flush=True)
    if arguments.json:
        output.json([asdict(one) for one in found])
    return 1 if any(one.ok is False for one in found) else 0


def _machine(found: "Found") -> dict[str, object]:
    return {
        "cluster": found.cluster,
        "role": found.place.role,
        "index": found.place.index,
        "pid": found.pid,
        "since": found.created,
    }


def _table(rows: "Sequence[Row]") -> str:
    return output.columns([HEAD, *map(_shown, rows)])


def _shown(row: "Row") -> tuple[str, str, str]:
    return row.name, row.state, row.url if row.state == "ready" or not row.message else row.message


class _Console:
    """Prints for ``up``: lines as things happen, one table when all is there, a progress line in a terminal."""

    def __init__(self) -> None:
        self.tabled = False
        self.progress = ""
        self.live = sys.stderr.isatty()

    def show(self, running: "State", line: str) -> None:
        from workbench.verbs.services import is_settled

        if line:
            self._line(line)
        if not self.tabled and is_settled(running) and running.rows:
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
