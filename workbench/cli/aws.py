"""The application on AWS for ``plan``, ``launch``, ``stop``, ``start`` and ``release``; ``audit`` and ``prices``."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

from workbench.cli import output
from workbench.errors import WorkbenchError
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs.application import App, AppPlan, Finding, Wish
    from workbench.verbs.jobs import Job
    from workbench.verbs.machines import Layout

ROLES = ("working", "frontend", "backend")
MARKS = {True: "yes", False: "NO", None: "unknown"}


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    audit = verbs.add(
        "audit", _audit, "what exists on AWS and belongs to nobody; 1 if there is any", json=True
    )
    audit.add_argument("--fix", action="store_true", help="remove it, after asking")
    audit.add_argument(
        "--yes", action="store_true", help="remove it without asking, but only what has our tags"
    )
    prices = verbs.add("prices", _prices, "what machines on AWS cost an hour", json=True)
    prices.add_argument("--refresh", action="store_true", help="ask AWS for the prices of today")


def add_options(verbs: dict[str, argparse.ArgumentParser]) -> None:
    """Add what only the application on AWS has to ``plan``, ``launch``, ``stop``, ``start`` and ``release``."""
    for name in ("plan", "launch"):
        group = verbs[name].add_argument_group("the application on AWS")
        group.add_argument("--working-type", metavar="T", help="of the working machine (m5.xlarge)")
        group.add_argument("--frontend-type", metavar="T", help="of the front end (t2.micro)")
        group.add_argument("--backend-type", metavar="T", help="of the back end (t2.micro)")
        group.add_argument(
            "--from", dest="dashboard_cidr", metavar="CIDR", help="who may reach the dashboard"
        )
        group.add_argument(
            "--page-port",
            type=output.whole(1, 65_535),
            default=80,
            metavar="PORT",
            help="of the drawing page (80)",
        )
        group.add_argument(
            "--private-backend", action="store_true", help="no public address for the back end; a NAT costs"
        )
        group.add_argument(
            "--budget",
            type=float,
            metavar="USD",
            help="an alarm stops all machines where the account costs more in a month",
        )
        group.add_argument("--budget-email", metavar="ADDRESS", help="who is told by the budget's alarm")
    for name in ("stop", "start"):
        verbs[name].add_argument(
            "--only", action="append", choices=ROLES, help="of the application on AWS, only this machine"
        )
    verbs["start"].add_argument(
        "--over-budget", action="store_true", help="also after the budget's alarm has stopped the application"
    )
    verbs["release"].add_argument(
        "--bucket", metavar="NAME", help="remove the application's bucket too, with all models in it"
    )
    verbs["release"].add_argument(
        "--everybody", action="store_true", help="of the application on AWS, with the clusters of other homes"
    )


def plan_app(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    plan = Application(settings).plan(_wish(arguments))
    if arguments.json:
        output.json(_plan_as_json(plan))
    else:
        _show_plan(plan)


def _plan_as_json(plan: "AppPlan") -> dict[str, object]:
    return {
        **asdict(plan),
        "price_per_month": round(plan.price_per_month, 2),
        "unknown": list(plan.unknown),
    }


def _show_plan(plan: "AppPlan") -> None:
    print(output.columns([("WHAT", "NAME"), *((r.type, r.name) for r in plan.resources)]))
    print()
    print(output.columns([("COSTS", "AN HOUR"), *((c.what, _dollars(c.per_hour)) for c in plan.costs)]))
    print()
    print(output.columns([("ACCOUNT", "FINE", "WHY"), *((c.what, MARKS[c.ok], c.said) for c in plan.checks)]))
    print()
    more = f", and what is unknown: {', '.join(plan.unknown)}" if plan.unknown else ""
    print(
        f"{len(plan.resources)} in all, {_dollars(plan.price_per_hour)} an hour, ${plan.price_per_month:.2f} a month "
        f"that it runs through{more}; {plan.price_source}"
    )


def check_cluster(layout: "Layout", settings: Settings) -> None:
    """Say whether the account may have the machines of such a cluster now, and what they do first."""
    from workbench.verbs.application import Application

    application = Application(settings)
    found = application.check_cluster(layout)
    print(f"{found.what}: {MARKS[found.ok]}, {found.said}")
    print(f"first boot: {application.first_boot(layout)}")


def tell_first_boot(layout: "Layout", settings: Settings) -> None:
    """Say what the machines of a new cluster do first."""
    from workbench.verbs.application import Application

    print(Application(settings).first_boot(layout), file=sys.stderr, flush=True)


def launch_app(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.verbs.application import Application

    app = Application(settings).launch(_Told(), _wish(arguments))
    show_app(app, settings, arguments.json)
    return 0


def stop_app(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    app = Application(settings).stop(_Told(), arguments.only or ROLES)
    show_app(app, settings, arguments.json)


def start_app(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    app = Application(settings).start(_Told(), arguments.only or ROLES, over_budget=arguments.over_budget)
    show_app(app, settings, arguments.json)


def release_app(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    application = Application(settings)
    if not sys.stdin.isatty() or _may_end(application.jobs_at_work()):
        application.release(_Told(), arguments.bucket, everybody=arguments.everybody)
    else:
        raise WorkbenchError("nothing was released")
    print("the application on AWS is released", file=sys.stderr)


def _may_end(jobs: "Sequence[Job]") -> bool:
    """Ask a person whether jobs at work may end with the application; true where there are none."""
    if not jobs:
        return True
    named = ", ".join(f"{job.id} ({job.name} of {job.requester}, {job.state})" for job in jobs)
    asked = f"its end ends these jobs: {named}; what they have learnt since the last checkpoint is lost. Go on? [y/N] "
    return input(asked).strip().lower() in ("y", "yes")


def machines_of_app(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    show_app(Application(settings).look(), settings, arguments.json)


def show_app(app: "App", settings: Settings, as_json: bool) -> None:
    """Print what exists of the application."""
    from workbench.verbs.application import forward_command, token_command

    if as_json:
        output.json(asdict(app))
        return
    head = ("MACHINE", "STATE", "SERVICE", "TYPE", "INSTANCE", "PRIVATE", "PUBLIC", "SINCE", "AN HOUR")
    rows = [
        (
            machine.role,
            machine.state,
            machine.service or "–",
            machine.type,
            machine.instance,
            machine.private_address or "–",
            machine.public_address or "–",
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(machine.created)),
            _dollars(machine.price_per_hour),
        )
        for machine in app.machines
    ]
    if rows:
        print(output.columns([head, *rows]))
    print(f"application {app.stack} in {app.region}, account {app.account}: {app.state}")
    if not rows:
        return
    print(f"drawing page: {app.page_url}")
    working = next(machine for machine in app.machines if machine.role == "working")
    print(f"dashboard:    {working.url}   (the token: {token_command(settings, app.region)})")
    print("              or through Session Manager, then https://localhost:8888/workbench:")
    print(f"              {forward_command(working.instance, working.private_address, app.region)}")
    print(f"deploy there: workbench deploy NAME --to aws;   costs {_dollars(app.price_per_hour)} an hour")


def _wish(arguments: argparse.Namespace) -> "Wish":
    from workbench.verbs.application import make_wish

    return make_wish(
        working_type=arguments.working_type,
        frontend_type=arguments.frontend_type,
        backend_type=arguments.backend_type,
        dashboard_cidr=arguments.dashboard_cidr,
        page_port=arguments.page_port,
        private_backend=arguments.private_backend,
        budget=arguments.budget,
        budget_email=arguments.budget_email,
    )


class _Told:
    """Prints each line with the seconds since the begin."""

    def __init__(self) -> None:
        self.began = time.monotonic()

    def __call__(self, line: str) -> None:
        print(f"{time.monotonic() - self.began:6.1f} s  {line}", file=sys.stderr, flush=True)


# ── audit and prices ─────────────────────────────────────────────────────────────────────────────


def _audit(arguments: argparse.Namespace, settings: Settings) -> int:
    from workbench.verbs.application import Application

    application = Application(settings)
    left = application.audit()
    found = left.found
    if arguments.json:
        output.json([asdict(one) for one in found])
    elif not found:
        print(f"nothing is left in {left.region}, account {left.account}")
    else:
        rows = [(one.kind, one.id, one.home or "–", one.why) for one in found]
        print(output.columns([("WHAT", "ID", "HOME", "WHY"), *rows]))
        print(f"{len(found)} that nobody owns: {left.summary}")
    if not found or not arguments.fix:
        return 1 if found else 0
    wanted = _agreed(found, arguments.yes)
    application.remove(wanted, _Told())
    return 0 if len(wanted) == len(found) else 1


def _agreed(found: "Sequence[Finding]", yes: bool) -> "list[Finding]":
    """Those that may be removed: what carries our tags and what only looks so are asked for apart."""
    ours, likely = [o for o in found if o.tagged], [o for o in found if not o.tagged]
    if yes:
        return ours
    if not sys.stdin.isatty():
        raise WorkbenchError(
            "nobody can be asked here whether to remove it: add --yes, for what has our tags"
        )
    wanted: list[Finding] = []
    for some, what in ((ours, "with our tags"), (likely, "without any tag, perhaps somebody else's")):
        if some and input(f"remove the {len(some)} {what}? [y/N] ").strip().lower() in ("y", "yes"):
            wanted += some
    return wanted


def _prices(arguments: argparse.Namespace, settings: Settings) -> None:
    from workbench.verbs.application import Application

    known = Application(settings).prices(refresh=arguments.refresh)
    if arguments.json:
        output.json({**asdict(known), "source": known.source})
        return
    rows = [(kind, f"${price:.4f}") for kind, price in sorted(known.machines.items(), key=lambda p: p[1])]
    print(output.columns([("TYPE", "AN HOUR"), *rows]))
    print(f"{known.region}: {known.source}; newer ones with: workbench prices --refresh", file=sys.stderr)


def _dollars(value: float | None) -> str:
    return "unknown" if value is None else f"${value:.4f}"
