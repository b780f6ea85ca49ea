"""``plan``, ``launch``, ``stop``, ``start``, ``release`` and ``machines``."""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

from workbench.cli import aws, jobs, output, services
from workbench.errors import BadInput
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.verbs.machines import Machine, Plan
    from workbench.verbs.requests import Estimate
    from workbench.verbs.workbench import Workbench

PARTS = ("app", "cluster")


def add(verbs: output.Verbs) -> None:
    """Add the commands to the parser."""
    plan = verbs.add("plan", _plan, "what a launch would make and what it costs; changes nothing", json=True)
    launch = verbs.add("launch", _launch, "make a standing cluster, or the application", json=True)
    for verb in (plan, launch):
        verb.add_argument(
            "--ps", type=output.whole(0, output.MOST), default=0, metavar="P", help="parameter servers (0)"
        )
        verb.add_argument(
            "--workers", type=output.whole(1, output.MOST), default=1, metavar="W", help="workers (1)"
        )
        verb.add_argument("--type", metavar="T", help="of the instances, where the provider has types")
    launch.add_argument(
        "--until-free",
        action="store_true",
        help="of a cluster: where no such machine is free, ask again until there is one; Ctrl-C ends it",
    )
    plan.add_argument("--recipe", metavar="RECIPE", help="say, too, how long its training may take there")
    plan.add_argument(
        "--epochs", type=output.whole(1, output.MOST), metavar="E", help="of that training; the recipe's own"
    )
    stop = verbs.add("stop", _stop, "stop a cluster's machines and keep them", json=True)
    start = verbs.add("start", _start, "start a cluster's stopped machines", json=True)
    release = verbs.add("release", _release, "end a cluster, or the application; nothing of it is left")
    for verb in (plan, launch, stop, start, release):
        verb.add_argument("part", nargs="?", choices=PARTS, default="cluster", help="cluster unless told")
        verb.add_argument("--provider", choices=["local", "aws"], default="local")
        verb.add_argument("--name", metavar="N", help="of the cluster; jobs name it with: submit --cluster N")
    aws.add_options({"plan": plan, "launch": launch, "stop": stop, "start": start, "release": release})
    machines = verbs.add("machines", _machines, "the machines that exist", json=True)
    machines.add_argument("part", nargs="?", choices=PARTS, default="cluster", help="of clusters unless told")
    machines.add_argument("--provider", choices=["local", "aws"], default="local")


def _plan(arguments: argparse.Namespace, settings: Settings) -> None:
    if _is_aws_app(arguments):
        aws.plan_app(arguments, settings)
        return
    if _is_local_app(arguments):
        from workbench.verbs import services as verbs

        _show_plan(verbs.plan(), arguments.json)
        return
    from workbench.verbs.machines import Layout
    from workbench.verbs.workbench import opened

    layout = Layout(arguments.ps, arguments.workers, arguments.type)
    with opened(settings) as workbench:
        plan = workbench.machines.plan(arguments.provider, layout)
        found = _estimate(arguments, settings, workbench) if arguments.recipe else None
    _show_plan(plan, arguments.json, found)
    if arguments.provider == "aws" and not arguments.json:
        aws.check_cluster(layout, settings)


def _estimate(arguments: argparse.Namespace, settings: Settings, workbench: "Workbench") -> "Estimate":
    """How long a training of the recipe may take; from former jobs, else from a dry run of it here."""
    from workbench.verbs import recipes
    from workbench.verbs.requests import Request

    request = Request(
        name="plan",
        requester=settings.requester,
        recipe=recipes.read(arguments.recipe),
        ps=arguments.ps,
        workers=arguments.workers,
        epochs=arguments.epochs,
        provider=arguments.provider,
        instance_type=arguments.type,
    )
    return workbench.requests.estimate_or_try(request)


def _show_plan(plan: "Plan", as_json: bool, found: "Estimate | None" = None) -> None:
    if as_json:
        resources = [asdict(resource) for resource in plan.resources]
        told = {"resources": resources, "price_per_hour": plan.price_per_hour}
        output.json(told | ({"estimate": asdict(found)} if found else {}))
        return
    print(output.columns([("WHAT", "NAME"), *((r.type, r.name) for r in plan.resources)]))
    price = plan.price if plan.price_per_hour else "free: it runs on this computer"
    print(f"{len(plan.resources)} in all, {price}")
    if found is not None:
        time = "nobody knows how long" if found.seconds is None else f"about {jobs.duration(found.seconds)}"
        cost = "" if not found.price else f", ${found.price:.2f}"
        print(f"a training: {time}{cost} ({found.basis})" + (f"; {found.hint}" if found.hint else ""))


def _launch(arguments: argparse.Namespace, settings: Settings) -> int:
    if _is_aws_app(arguments):
        return aws.launch_app(arguments, settings)
    if _is_local_app(arguments):
        return services.up_detached(settings)
    from workbench.verbs.clusters import Patience
    from workbench.verbs.machines import Layout
    from workbench.verbs.workbench import opened

    layout = Layout(arguments.ps, arguments.workers, arguments.type)
    with opened(settings) as workbench:
        workbench.machines.plan(arguments.provider, layout)  # refuses what cannot be
        if arguments.provider == "aws":
            aws.tell_first_boot(layout, settings)
        patience = Patience(partial(print, file=sys.stderr, flush=True), "Ctrl-C")
        asked = {"patience": patience} if arguments.until_free else {}
        found = workbench.clusters.launch(_name(arguments), layout, arguments.provider, **asked)
    if arguments.provider == "aws":
        print(_ends_by_itself(settings), file=sys.stderr)
    _show(found, arguments.json)
    return 0


def _ends_by_itself(settings: Settings) -> str:
    idle = (
        f"after {settings.aws_idle_minutes} minutes without a job (WORKBENCH_AWS_IDLE_MINUTES), and "
        if settings.aws_idle_minutes
        else ""
    )
    return f"the cluster ends by itself {idle}after {settings.aws_hours} hours whatever happens (WORKBENCH_AWS_HOURS)"


def _stop(arguments: argparse.Namespace, settings: Settings) -> None:
    if _is_aws_app(arguments):
        aws.stop_app(arguments, settings)
        return
    if _is_local_app(arguments):
        services.down(settings)
        return
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        found = workbench.clusters.stop(_name(arguments), arguments.provider)
    _show(found, arguments.json)


def _start(arguments: argparse.Namespace, settings: Settings) -> int:
    if _is_aws_app(arguments):
        aws.start_app(arguments, settings)
        return 0
    if _is_local_app(arguments):
        return services.up_detached(settings)
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        found = workbench.clusters.start(_name(arguments), arguments.provider)
    _show(found, arguments.json)
    return 0


def _release(arguments: argparse.Namespace, settings: Settings) -> None:
    if _is_aws_app(arguments):
        aws.release_app(arguments, settings)
        return
    if _is_local_app(arguments):
        services.down(settings)
        return
    from workbench.verbs.workbench import opened

    name = _name(arguments)
    with opened(settings) as workbench:
        workbench.clusters.release(name, arguments.provider)
    print(f"the cluster {name} is released", file=sys.stderr)


def _machines(arguments: argparse.Namespace, settings: Settings) -> None:
    if _is_aws_app(arguments):
        aws.machines_of_app(arguments, settings)
        return
    if _is_local_app(arguments):
        services.status(arguments, settings)
        return
    from workbench.verbs.workbench import opened

    with opened(settings) as workbench:
        found = workbench.machines.find(arguments.provider)
    if not found and not arguments.json:
        print("no machine exists")
        return
    _show(found, arguments.json)


def _show(found: "Sequence[Machine]", as_json: bool) -> None:
    if as_json:
        output.json([asdict(machine) for machine in found])
        return
    head = ("CLUSTER", "MACHINE", "STATE", "ADDRESS", "PROCESS", "SINCE")
    rows = [
        (
            machine.cluster,
            str(machine.place),
            machine.state,
            machine.address or "–",
            str(machine.instance or machine.pid or "–"),
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(machine.created)),
        )
        for machine in found
    ]
    print(output.columns([head, *rows]))


def _is_local_app(arguments: argparse.Namespace) -> bool:
    """On this computer the application is what ``up`` starts and ``down`` ends."""
    return bool(arguments.part == "app" and arguments.provider == "local")


def _is_aws_app(arguments: argparse.Namespace) -> bool:
    return bool(arguments.part == "app" and arguments.provider == "aws")


def _name(arguments: argparse.Namespace) -> str:
    if arguments.part == "cluster" and not arguments.name:
        raise BadInput("a cluster needs a name: --name N")
    return str(arguments.name or "app")
