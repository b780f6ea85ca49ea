"""Whatever one does in whatever order, what is shown is true, and a release leaves nothing."""

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.application.accounts import new_user
from tests.application.steps import Outcome, User
from tests.emulator import Emulator, Fault
from workbench.settings import PROJECT

SEQUENCES = int(os.environ.get("SEQUENCES", "2"))
"""How many are played; many more by hand."""
STEPS = 6
KILLED_AFTER = (
    "CreateBucket",
    "CreateStack",
    "RunInstances",
    "TerminateInstances",
    "DeleteStack",
    "PutObject",
)


class Person(RuleBasedStateMachine):
    """Plans, launches, submits, stops, starts, is killed, releases."""

    emulator: ClassVar[Emulator]
    folder: ClassVar[Path]

    def __init__(self) -> None:
        super().__init__()
        self.user: User = new_user(self.emulator, self.folder)
        self.app = False
        """Whether the application was launched and not released since, as far as was told."""
        self.standing = False
        """Whether a cluster was launched and is there."""
        self.uncertain = False
        """Something was killed: what exists is known again after the next release."""

    def teardown(self) -> None:
        released = self.user.release()
        assert released.code == 0, released.said
        assert self.user.left() == {}
        audited = self.user.do("audit")
        assert audited.code == 0, audited.said
        assert self.emulator.complaints() == []
        shutil.rmtree(self.user.home, ignore_errors=True)

    def done(self, outcome: Outcome) -> bool:
        """Whether it was done; what was refused was refused in words."""
        assert "Traceback" not in outcome.said, outcome.said
        assert outcome.code in (0, 1, 2, 3, -9), outcome
        assert outcome.said or outcome.code in (0, -9)
        return outcome.code == 0

    @rule()
    def plan(self) -> None:
        before = self.emulator.resources()
        self.emulator.forget_calls()
        assert self.done(self.user.do("plan", "app", "--provider", "aws", "--json"))
        assert self.emulator.resources() == before
        assert not [call for call in self.emulator.log() if call.changes()]

    @rule()
    def launch(self) -> None:
        self.app = self.done(self.user.launch())
        assert self.app, "nothing was in the way"

    @precondition(lambda self: self.app and not self.uncertain)
    @rule()
    def launch_a_cluster(self) -> None:
        assert self.done(self.user.cluster()) != self.standing  # a second one of that name is refused
        self.standing = True

    @precondition(lambda self: not self.app and not self.uncertain)
    @rule()
    def launch_a_cluster_without_ground(self) -> None:
        refused = self.user.cluster()
        assert not self.done(refused)
        assert "launch app" in refused.said

    @precondition(lambda self: self.app and not self.uncertain)
    @rule()
    def submit(self) -> None:
        assert self.done(self.user.job())

    @precondition(lambda self: self.standing and not self.uncertain)
    @rule(verb=st.sampled_from(["stop", "start"]))
    def stop_or_start(self, verb: str) -> None:
        assert self.done(self.user.do(verb, "cluster", "--provider", "aws", "--name", "standing"))
        states = {machine["state"] for machine in self.shown()}
        assert states == {"stopped" if verb == "stop" else "running"}

    @rule(step=st.sampled_from(["launch", "cluster", "job", "release"]), action=st.sampled_from(KILLED_AFTER))
    def kill(self, step: str, action: str) -> None:
        self.emulator.faults([Fault(action, kill=True)])
        outcome: Outcome = getattr(self.user, step)()
        self.emulator.faults()
        if outcome.code == -9:
            self.uncertain = True
        elif outcome.code == 0:
            self.app = step != "release" and (self.app or step == "launch")
            self.standing = step != "release" and (self.standing or step == "cluster")
        self.done(outcome)

    @rule()
    def release(self) -> None:
        assert self.done(self.user.release())
        assert self.user.left() == {}
        self.app = self.standing = self.uncertain = False

    def shown(self) -> list[dict[str, Any]]:
        """The clusters' machines as ``workbench machines`` shows them."""
        outcome = self.user.do("machines", "--provider", "aws", "--json")
        assert outcome.code == 0, outcome.said
        return list(json.loads(outcome.said))

    @invariant()
    def what_is_shown_is_true(self) -> None:
        really = {
            name: told["state"]
            for name, told in self.emulator.instances().items()
            if told["tags"].get("cluster") and told["state"] not in ("terminated", "shutting-down")
        }
        if not really and not self.app:
            return
        shown = {m["instance"]: m["state"] for m in self.shown() if m["state"] != "terminated"}
        assert set(shown) == set(really)
        for name, state in shown.items():
            assert (state == "running") <= (really[name] == "running")


@pytest.mark.timeout(600)
def test_no_sequence_of_commands_leaves_anything_or_shows_what_is_not(proc_emulator: Emulator) -> None:
    below = PROJECT / "build"
    below.mkdir(exist_ok=True)
    Person.emulator = proc_emulator
    with tempfile.TemporaryDirectory(dir=below) as folder:
        Person.folder = Path(folder)
        run_state_machine_as_test(
            Person,
            settings=settings(
                max_examples=SEQUENCES,
                stateful_step_count=STEPS,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
