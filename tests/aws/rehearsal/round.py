"""The round itself: its steps one after the other, what each must show, and the end that comes whatever happens."""

import base64
import contextlib
import json
import os
import signal
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.aws.rehearsal import switch
from tests.aws.rehearsal.hands import Failed, Hands, Said
from tests.aws.rehearsal.meter import Meter
from workbench.aws import instances, names
from workbench.aws.session import Session
from workbench.errors import WorkbenchError

APP = ("app", "--provider", "aws")
LAYOUT = ("--ps", "1", "--workers", "2")


@dataclass
class Done:
    """A step, and how it went."""

    step: str
    ok: bool
    seconds: float
    dollars: float
    """In all, when it had ended."""
    said: str


@dataclass(frozen=True)
class Wish:
    """The round that is wanted; the usual one is the whole, for a real account."""

    trains: bool = True
    """With trainings, a deployment and a drawing; without: machines alone."""
    node_type: str = "t3.large"
    minutes: int = 60
    page_port: int = 80
    dashboard: str | None = None
    """Who may reach the dashboard; ``None``: this computer alone."""
    launch_limit_s: float = 1500.0
    train_limit_s: float = 1500.0
    kill_after_s: float = 180.0
    """By when a launch must have asked for a machine, to be killed then."""


@dataclass
class Round:
    """One rehearsal."""

    hands: Hands
    session: Session
    meter: Meter
    wish: Wish
    recipe: Path
    tell: Callable[[str], None]
    over: Callable[[], str] = lambda: ""
    """Why no further step may begin; empty while it may."""
    done: list[Done] = field(default_factory=list)
    page: str = ""

    def run(self) -> bool:
        """Do all steps; whatever fails, everything is released at the end. True if all went well."""
        try:
            for step in (
                self.doctor,
                self.plan,
                self.launch,
                self.switch,
                *(
                    (self.train, self.train_on_spot_machines, self.deploy, self.draw)
                    if self.wish.trains
                    else ()
                ),
                self.stop_and_start,
                self.kill_a_launch,
            ):
                if not self._do(step):
                    break
        finally:
            released = self._do(self.release, always=True)
        return released and all(one.ok for one in self.done)

    def _do(self, step: Callable[[], str], *, always: bool = False) -> bool:
        name = step.__name__.replace("_", " ")
        if not always and (why := self.over()):
            self.done.append(Done(name, False, 0.0, self.meter.dollars, f"not begun: {why}"))
            return False
        self.tell(f"{name} …")
        began, ok = time.monotonic(), True
        try:
            said = step()
        except (Failed, WorkbenchError, OSError) as error:
            ok, said = False, f"{error}"
        self.meter.look()
        one = Done(name, ok, round(time.monotonic() - began, 1), round(self.meter.dollars, 4), said)
        self.done.append(one)
        self.tell(
            f"{name}: {'well' if ok else 'FAILED'}, {one.seconds:.0f} s, ${one.dollars:.2f} so far: {said}"
        )
        return ok

    def _types(self, *arguments: str, limit_s: float, **environ: str) -> Said:
        said = self.hands.types(*arguments, limit_s=limit_s, **environ)
        if said.code != 0:
            words = (said.err or said.out)[-1500:]
            raise Failed(f"workbench {' '.join(arguments)} ended with {said.code}: {words}")
        return said

    # ── steps ───────────────────────────────────────────────────────────────────────────────────

    def doctor(self) -> str:
        found = self._types("doctor", "--provider", "aws", "--json", limit_s=120).json()
        unknown = [f"{one['check']}: {one['said']}" for one in found if one["ok"] is None]
        return f"{len(found)} checks; what matters to some: {'; '.join(unknown) or 'nothing'}"

    def plan(self) -> str:
        plan = self._types("plan", *APP, "--json", limit_s=120).json()
        if bad := [f"{one['what']}: {one['said']}" for one in plan["checks"] if one["ok"] is False]:
            raise Failed("; ".join(bad))
        cluster = self._types(
            "plan",
            "cluster",
            "--provider",
            "aws",
            *LAYOUT,
            "--type",
            self.wish.node_type,
            "--json",
            limit_s=120,
        ).json()
        return (
            f"the application ${plan['price_per_hour']:.2f} an hour, a cluster ${cluster['price_per_hour']:.2f}; "
            f"{plan['price_source']}"
        )

    def launch(self) -> str:
        more = ("--from", self.wish.dashboard) if self.wish.dashboard else ()
        port = ("--page-port", str(self.wish.page_port))
        app = self._types("launch", *APP, *port, *more, "--json", limit_s=self.wish.launch_limit_s).json()
        services = {machine["role"]: machine["service"] for machine in app["machines"]}
        if set(services.values()) != {"ready"}:
            raise Failed(f"not all services answer: {services}")
        self.page = app["page_url"]
        self.machines = [machine["instance"] for machine in app["machines"]]
        of = [f"{machine['role']} {machine['type']}" for machine in app["machines"]]
        return f"{self.page}; {', '.join(of)}"

    def switch(self) -> str:
        if not self.wish.trains:
            return "these machines are none that run"
        switch.tell_machines_to_end(self.session, self.machines, self.wish.minutes)
        return f"the application's machines switch themselves off in {self.wish.minutes} minutes"

    def train(self) -> str:
        return self._train("rehearsed", "0")

    def train_on_spot_machines(self) -> str:
        return self._train("rehearsed-spot", "1")

    def _train(self, name: str, spot: str) -> str:
        asked = (
            "submit",
            str(self.recipe),
            "--name",
            name,
            "--provider",
            "aws",
            "--type",
            self.wish.node_type,
        )
        said = self._types(
            *asked,
            *LAYOUT,
            "--epochs",
            "1",
            "--wait",
            limit_s=self.wish.train_limit_s,
            WORKBENCH_AWS_SPOT=spot,
        )
        job = self._types("job", said.out.split()[0], "--json", limit_s=60).json()
        seen = {c.spot for c in self.meter.machines.values() if c.cluster == f"job-{job['id']}"}
        if True in seen and spot == "0":
            raise Failed("its machines were spot machines, which nobody asked for")
        rare = ", on demand, as AWS had none to spare" if False in seen and spot == "1" else ""
        return f"job {job['id']} is {job['state']}, {job['accuracy']:.1%} right, told cost ${job['cost']:.3f}{rare}"

    def deploy(self) -> str:
        self._types("deploy", "rehearsed", "--to", "aws", "--reason", "the rehearsal", limit_s=600)
        return "rehearsed answers on the drawing page"

    def draw(self) -> str:
        body = draw_a_seven()
        request = urllib.request.Request(f"{self.page}api/predict", body, {"Content-Type": "text/plain"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            digit = answer.read().decode()
        if digit not in list("0123456789"):
            raise Failed(f"a drawn seven is answered with {digit!r}")
        return f"a drawn seven is answered with {digit}"

    def stop_and_start(self) -> str:
        self._types("stop", *APP, "--only", "working", "--json", limit_s=600)
        states = {
            m["role"]: m["state"]
            for m in self._types("machines", *APP, "--json", limit_s=60).json()["machines"]
        }
        if states["working"] != "stopped" or states["frontend"] != "running":
            raise Failed(f"stopped alone was to be the working machine: {states}")
        self._types("start", *APP, "--json", limit_s=self.wish.launch_limit_s)
        return "the working machine was stopped and answers again"

    def kill_a_launch(self) -> str:
        """A launch that is killed leaves machines; a release must find and end them."""
        process = self.hands.begins(
            "launch",
            "cluster",
            "--provider",
            "aws",
            "--name",
            "killed",
            "--workers",
            "1",
            "--type",
            self.wish.node_type,
        )
        until = time.monotonic() + self.wish.kill_after_s
        ids: list[str] = []
        try:
            while not ids and time.monotonic() < until and process.poll() is None:
                time.sleep(0.3)
                wanted = names.filters(self.session.home, cluster="killed")
                found = instances.find(
                    self.session, wanted, states=instances.LIVING, doing="look for the machine"
                )
                ids = [one.id for one in found]
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        if not ids:
            raise Failed("the launch had asked for no machine")
        return f"killed by signal 9; it has left {', '.join(ids)}"

    def release(self) -> str:
        said: list[str] = []
        switch.release_all(self.hands, said.append, limit_s=1200)
        left = instances.find(
            self.session, names.filters(self.session.home), states=instances.LIVING, doing="look"
        )
        if left:
            raise Failed(f"machines are left: {', '.join(one.id for one in left)}")
        return said[-1]

    # ── what is kept ────────────────────────────────────────────────────────────────────────────

    def write(self, path: Path) -> None:
        """Keep how each step went."""
        told: dict[str, Any] = {
            "steps": [asdict(one) for one in self.done],
            "dollars": round(self.meter.dollars, 4),
        }
        path.write_text(json.dumps(told, indent=1))


def draw_a_seven() -> bytes:
    """A seven as the page's canvas sends it."""
    from tests.backend import making

    return b"data:image/png;base64," + base64.b64encode(making.png(making.seven()))


@contextlib.contextmanager
def counting(meter: Meter) -> Iterator[Meter]:
    """Count while inside."""
    meter.start()
    try:
        yield meter
    finally:
        meter.stop()
