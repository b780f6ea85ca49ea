"""What AWS is asked, and how long it takes: to plan, launch, list and end clusters of 3 to 1,000 machines.

Against the emulator, whose machines are states only here: the figures are the calls that we make and the time that
they and we take, not the time that EC2 needs for a machine. The peer of a launch is a call for each machine.
"""

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.measuring import Row
from tests.chain import make_settings
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground
from workbench.aws import commands
from workbench.aws.session import Session
from workbench.machines import Layout
from workbench.machines.aws.controller import making, members
from workbench.machines.aws.controller.making import Ground, RoleWish
from workbench.machines.aws.controller.provider import AwsProvider

SIZES = (3, 30, 300, 1000)
VCPUS = 4000
TYPE = "t3.micro"


def run() -> list[Row]:
    """Measure."""
    rows: list[Row] = []
    with (
        tempfile.TemporaryDirectory() as folder,
        Emulator(Path(folder) / "emulator", "proc", boot=False) as emulator,
        _set(emulator.environ),
    ):
        for size in SIZES:
            rows += _measure(emulator, Path(folder) / str(size), size)
    return rows


@contextmanager
def _set(environ: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [n for n in os.environ if n.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(environ)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _measure(emulator: Emulator, home: Path, size: int) -> list[Row]:
    emulator.reset()
    emulator.quota(VCPUS)
    settings = make_settings(home)
    session = Session.open(settings)
    ground = make_ground(session)
    provider = AwsProvider(settings, look_every_s=0.0, find_ground=lambda *_: ground)
    layout = Layout(ps=1, workers=size - 2, instance_type=TYPE)
    steps: dict[str, Callable[[], object]] = {
        "plan": lambda: provider.plan(layout),
        "launch": lambda: _launch(session, ground, layout),
        "list": lambda: _list(session, size),
        "end": lambda: members.end_cluster(session, "many"),
    }
    return [row for what, step in steps.items() for row in _counted(emulator, f"{what} {size}", step, size)]


def _launch(session: Session, ground: Ground, layout: Layout) -> None:
    """The provider's own calls for the instances of a cluster, and the wait until all of them take commands."""
    for role in ("chief", "ps", "worker"):
        count = sum(place.role == role for place in layout.places)
        making.make(session, ground, "many", RoleWish(role, count, TYPE, False, "#!/bin/sh\n"), {})
    ids = [i.id for i in members.look(session, "many", ["running"])]
    if set(commands.online(session, ids)) != set(ids):
        raise RuntimeError("not all machines are online")


def _list(session: Session, size: int) -> None:
    found = len(members.look(session, "many"))
    if found != size:
        raise RuntimeError(f"{found} machines were listed of {size}")


def _counted(emulator: Emulator, what: str, step: Callable[[], object], size: int) -> Iterator[Row]:
    emulator.forget_calls()
    began = time.monotonic()
    step()
    took_s = time.monotonic() - began
    calls = sum(emulator.calls().values())
    peer = float(size) if what.startswith("launch") else None
    yield Row(f"aws: {what}, calls", calls, "", peer)
    yield Row(f"aws: {what}", took_s, "s")
