"""``adopt``: homes that AWS knows, and the taking over of one whose computer is lost."""

import argparse
import sys

from workbench.cli import output
from workbench.settings import Settings


def add(verbs: output.Verbs) -> None:
    """Add the command to the parser."""
    adopt = verbs.add(
        "adopt", _adopt, "homes that have something on AWS; with one named: go on with it here", json=True
    )
    adopt.add_argument("home", nargs="?", metavar="HOME", help="the short id of a home that is lost")


def _adopt(arguments: argparse.Namespace, settings: Settings) -> None:
    if arguments.home is None:
        _list(arguments, settings)
        return
    from workbench.verbs.homes import adopt
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        found = adopt(
            arguments.home,
            settings,
            workbench.store,
            workbench.machines,
            lambda line: print(line, file=sys.stderr, flush=True),
        )
        workbench.jobs.tick()
    if arguments.json:
        output.json(vars(found))
        return
    parts = [("clusters", found.clusters), ("jobs", found.jobs), ("models", found.versions)]
    told = "; ".join(f"{what} {', '.join(map(str, some))}" for what, some in parts if some)
    print(f"{settings.home} is home {found.home} now: {told or 'it had nothing that was not here'}")


def _list(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.homes import list_homes

    found = list_homes(settings)
    if arguments.json:
        output.json(
            [
                {
                    "home": one.id,
                    "clusters": one.clusters,
                    "machines": [machine.id for machine in one.machines],
                    "jobs": [job.id for job in one.jobs],
                    "models": [f"{name}:{number}" for name, number in one.versions],
                    "price_per_hour": one.price_per_hour,
                }
                for one in found
            ]
        )
        return
    if not found:
        print("no home has anything on AWS here")
        return
    rows = [
        (
            one.id,
            ", ".join(one.clusters) or "–",
            str(len(one.machines)),
            "unknown" if one.price_per_hour is None else f"${one.price_per_hour:.4f}",
            ", ".join(str(job.id) for job in one.jobs) or "–",
            ", ".join(f"{name}:{number}" for name, number in one.versions) or "–",
        )
        for one in found
    ]
    print(output.columns([("HOME", "CLUSTERS", "MACHINES", "AN HOUR", "JOBS", "MODELS"), *rows]))
