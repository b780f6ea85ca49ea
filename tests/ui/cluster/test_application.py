"""The application on AWS on its page, with a stand-in for AWS."""

import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace

import pytest

from tests.chain import wait_until
from workbench.application.checks import Check
from workbench.application.plan import AppPlan, Cost
from workbench.application.stack import App, AppMachine
from workbench.errors import Unavailable
from workbench.machines import Machine, Resource
from workbench.ui.cluster.machines.application import LOOK_EVERY_S, ApplicationPanel
from workbench.ui.widgets.actions import Action

ABSENT = App("workbench", "absent", "123456789012", "eu-central-1", "ab12")


def machine(role: str, state: str = "running", **more: object) -> AppMachine:
    values = {
        "role": role,
        "instance": f"i-{role}",
        "type": "t2.micro",
        "state": state,
        "service": "ready" if state == "running" else "",
        "message": "",
        "private_address": "192.168.0.9",
        "public_address": "" if role == "backend" else "198.51.100.7",
        "url": "",
        "created": 1.0,
        "price_per_hour": 0.0116,
        **more,
    }
    return AppMachine(**values)  # type: ignore[arg-type]


RUNNING = replace(
    ABSENT,
    state="running",
    machines=tuple(machine(role) for role in ("working", "frontend", "backend")),
    page_url="http://198.51.100.7/",
    price_per_hour=0.25,
    vpc="vpc-1",
    subnet="subnet-1",
)
PLAN = AppPlan(
    (Resource("AWS::EC2::VPC", "Vpc"),),
    0.25,
    costs=(Cost("m5.xlarge, the working machine", 0.23), Cost("p9.huge", None)),
    checks=(
        Check("6 vCPU of 5", False, "ask for more <quota>"),
        Check("2 Elastic IPs", None, "AWS did not tell"),
    ),
    price_source="prices of 2026-11-01",
)


@dataclass
class Stand:
    """An account in memory; what takes long waits for ``go``."""

    app: App = ABSENT
    refuses: Exception | None = None
    looks: int = 0
    go: threading.Event = field(default_factory=threading.Event)

    def look(self) -> App:
        self.looks += 1
        if self.refuses:
            raise self.refuses
        return self.app

    def plan(self) -> AppPlan:
        return PLAN

    def launch(self, tell: Callable[[str], None]) -> App:
        tell("Vpc <made>")
        assert self.go.wait(60)
        if self.refuses:
            raise self.refuses
        self.app = RUNNING
        return self.app

    def start(self, tell: Callable[[str], None], only: Collection[str] = ()) -> None:
        self.app = RUNNING

    def stop(self, tell: Callable[[str], None], only: Collection[str] = ()) -> None:
        stopped = tuple(replace(m, state="stopped", service="") for m in RUNNING.machines)
        self.app = replace(RUNNING, state="stopped", machines=stopped)

    def release(self, tell: Callable[[str], None]) -> None:
        self.app = ABSENT


@pytest.fixture
def now() -> list[float]:
    return [0.0]


@pytest.fixture
def stand() -> Stand:
    return Stand()


@pytest.fixture
def panel(stand: Stand, now: list[float]) -> ApplicationPanel:
    return ApplicationPanel(stand, clock=lambda: now[0])


def shown(panel: ApplicationPanel) -> list[str]:
    return [action.button.description for action in panel.actions if action.widget in panel.buttons.children]


def do(action: Action) -> None:
    action.start()
    wait_until(lambda: not action.busy, 10, "the action's end")


def test_without_credentials_there_is_no_panel_and_the_words_are_passed_on(
    panel: ApplicationPanel, stand: Stand
) -> None:
    stand.refuses = Unavailable("there are no AWS credentials here: set them")
    with pytest.raises(Unavailable, match="set them"):
        panel.refresh()
    assert panel.widget.layout.display == "none"
    assert panel.line == ""


def test_an_account_without_the_application_offers_to_plan_and_launch_it(panel: ApplicationPanel) -> None:
    panel.refresh()
    assert panel.widget.layout.display == ""
    assert shown(panel) == ["Plan", "Launch"]
    assert panel.line == "account 123456789012, eu-central-1; no application"


def test_a_plan_shows_price_unknown_prices_and_what_the_account_refuses(panel: ApplicationPanel) -> None:
    panel.refresh()
    do(panel.plan)
    for words in (
        "$0.25 an hour",
        "unknown",
        "6 vCPU of 5",
        "ask for more &lt;quota&gt;",
        "Prices of 2026-11-01",
    ):
        assert words in panel.details.html


def test_launch_asks_first_with_the_price_and_what_is_not_allowed(panel: ApplicationPanel) -> None:
    panel.refresh()
    panel.launch.press()
    question = panel.launch.widget.children[0].html
    assert "1 resource for $0.25 an hour" in question
    assert "does not allow it yet: 6 vCPU of 5" in question


def test_a_launch_tells_what_happens_and_ends_with_the_pages_address(
    panel: ApplicationPanel, stand: Stand
) -> None:
    panel.refresh()
    panel.launch.start()
    wait_until(lambda: "Vpc &lt;made&gt;" in panel.progress.html, 10, "a line of progress")
    panel.refresh()
    assert panel.release.button.disabled
    stand.go.set()
    wait_until(lambda: not panel.launch.busy, 10, "the end of the launch")
    panel.refresh()
    assert panel.progress.html == ""
    assert "The application runs: http://198.51.100.7/" in panel.message.html
    assert shown(panel) == ["Stop", "Release"]
    assert not panel.release.button.disabled


def test_a_launch_that_fails_says_why(panel: ApplicationPanel, stand: Stand) -> None:
    panel.refresh()
    stand.refuses = Unavailable("VcpuLimitExceeded: ask for a higher quota")
    stand.go.set()
    do(panel.launch)
    assert "ask for a higher quota" in panel.message.html


def test_a_running_application_is_drawn_and_listed(panel: ApplicationPanel, stand: Stand) -> None:
    stand.app = RUNNING
    panel.refresh([Machine("job-3", "worker", 0, "running", "192.168.0.40:2222", instance="i-w0")])
    html = panel.state.html
    for words in (
        "vpc-1",
        "192.168.0.0/24",
        "working machine",
        "198.51.100.7",
        "i-backend",
        "job 3",
        "worker 0",
    ):
        assert words in html
    assert "3 of 3 machines of the application running, 1 training machines" in html


def test_stopped_machines_can_be_started_or_released(panel: ApplicationPanel, stand: Stand) -> None:
    stand.app = RUNNING
    panel.refresh()
    do(panel.stop)
    assert shown(panel) == ["Start", "Release"]
    do(panel.start)
    assert shown(panel) == ["Stop", "Release"]
    do(panel.release)
    assert shown(panel) == ["Plan", "Launch"]


def test_aws_is_asked_now_and_then_and_at_once_after_an_action(
    panel: ApplicationPanel, stand: Stand, now: list[float]
) -> None:
    stand.app = RUNNING
    for _ in range(5):
        panel.refresh()
    assert stand.looks == 1
    now[0] = LOOK_EVERY_S
    panel.refresh()
    assert stand.looks == 2
    do(panel.stop)
    assert stand.looks == 3
