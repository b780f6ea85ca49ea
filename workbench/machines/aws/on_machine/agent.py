"""The agent of a cluster's machine: ``python -m workbench.machines.aws.on_machine.agent BUCKET CLUSTER HOME``.

It follows the cluster's assignment in the bucket: begins its role, brings what that reports to the bucket, begins it
again when it crashes, says what it does, and ends the machines when their job is over. It needs no other computer.
"""

import contextlib
import os
import signal
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.aws import names
from workbench.aws.bucket import Bucket
from workbench.aws.refusals import DeniedOnPurpose
from workbench.aws.session import Session
from workbench.errors import Unavailable, WorkbenchError
from workbench.machines import Exit
from workbench.machines.aws.exchange import assignments, reports
from workbench.machines.aws.exchange.assignments import AssignedJob, Post
from workbench.machines.aws.exchange.machine import ROOT
from workbench.machines.aws.exchange.statuses import ENDED, READY, RUNNING
from workbench.machines.aws.on_machine import ending, metadata, role
from workbench.machines.aws.on_machine.attempt import Attempt
from workbench.machines.aws.on_machine.disk import Disk
from workbench.machines.aws.on_machine.duty import Duty, Teller, find
from workbench.machines.aws.on_machine.ending import DONE, STOPPED
from workbench.settings import from_environment
from workbench.system.locks import locked

TICK_S = 0.1
REPORT_S = 1.0
FOLLOW_S = 10.0
"""Between two looks at the assignment, when nobody says that there is a new one."""
SEARCH_S = 1.0
"""The same while there is none yet, or what it asks for could not be done."""
NOTICE_S = 5.0
LOST_S = 900.0
"""Without a place in an assignment, after which a machine ends itself."""
DENIED_S = 300.0
"""Without leave to read the assignment, by a policy that denies it on purpose, after which a machine ends itself."""
RECIPE_FAILED = 3
"""Exit code of a node that is not to begin again."""


@dataclass
class Agent:
    """One machine's agent: rounds of small things to do; what AWS refuses is done again in a later round."""

    root: Path
    bucket: Bucket
    cluster: str
    instance: str
    duty: Duty | None = None
    attempt: Attempt | None = None
    over: bool = False
    followed: tuple[str, Post] | None = None
    """Key of the duty that has been taken in to the end."""
    seen_wake: int = 0
    due: dict[str, float] = field(default_factory=dict)
    lost_since: float = field(default_factory=time.monotonic)
    idle_since: float | None = field(default_factory=time.monotonic)
    interrupted: str | None = None
    denied_since: float | None = None
    denied_s: float = DENIED_S

    def __post_init__(self) -> None:
        self.disk = Disk(self.root, self.bucket)
        self.prefix = names.cluster_prefix(self.bucket.session.home, self.cluster)
        self.teller = Teller(self.bucket, self.prefix)

    def run(self) -> None:
        """Follow the assignment until the machine is switched off."""
        role.end_all_of_user(self.root)
        while not self.over:
            self.once()
            time.sleep(TICK_S)
        self._end_process()
        with contextlib.suppress(WorkbenchError):  # it is over, whether or not anybody hears of it
            self._flush()
            self.teller.tell()

    def once(self) -> None:
        """Do one round of what is due."""
        for do, every_s in (
            (self.follow, FOLLOW_S if self.duty and self.followed == self.duty.key else SEARCH_S),
            (self.watch, TICK_S),
            (self.teller.tell, TICK_S),
            (self.report, REPORT_S),
            (self.look_out, NOTICE_S),
            (self.consider_the_end, REPORT_S),
        ):
            if self._is_due(do.__name__, every_s):
                try:
                    do()
                except WorkbenchError as error:  # AWS is away for a moment: the next round tries again
                    if isinstance(error, DeniedOnPurpose) and self.denied_since is None:
                        self.denied_since = time.monotonic()
                    print(f"{do.__name__}: {error}", file=sys.stderr, flush=True)

    def _is_due(self, name: str, every_s: float) -> bool:
        now = time.monotonic()
        if name == "follow" and (stamp := self.disk.wake()) != self.seen_wake:
            self.seen_wake = stamp
        elif now < self.due.get(name, 0.0):
            return False
        self.due[name] = now + every_s
        return True

    # ── what it is to do ────────────────────────────────────────────────────────────────────────

    def follow(self) -> None:
        """Take in the assignment; do what it asks for now."""
        self.duty = duty = find(self.bucket.get(f"{self.prefix}{assignments.FILE}"), self.instance)
        self.denied_since = None
        if duty is None:
            self._end_process()
            self.followed = None
            return
        self.lost_since = time.monotonic()
        if self.followed == duty.key:
            return
        was_running = self._end_process()
        work = duty.assignment.work
        if self.followed is None or self.followed[0] != duty.assignment.generation:
            self._flush()
            self.attempt = None
        self.disk.get_code(duty.assignment.code)
        if work is None:
            self.disk.clear_jobs()
            self.teller.note(duty, READY)
        elif not duty.post.run:
            attempt = self.attempt = self.attempt or self._prepare(duty, work)
            attempt.exit = STOPPED if was_running or attempt.exit is None else attempt.exit
            self._flush()
            self.teller.note(duty, ENDED, exit=attempt.exit)
        else:
            before = self.teller.read(duty)
            self.attempt = self._prepare(duty, work)
            if before is not None and before.state == ENDED:  # before this machine was switched off
                self.attempt.exit, self.attempt.ended_at = before.exit, time.monotonic()
            elif self.attempt.counts.at_work:  # an agent was killed, and its role with it
                self._note_crash(duty, self.attempt, -signal.SIGKILL)
            else:
                self._begin(duty, self.attempt)
        self.followed = duty.key

    def _prepare(self, duty: Duty, work: AssignedJob) -> Attempt:
        key = f"{duty.assignment.generation} {duty.place} {duty.post.turn}"
        return Attempt.prepare(self.disk, work, duty.place, duty.leads, key)

    def _begin(self, duty: Duty, attempt: Attempt) -> None:
        self.teller.note(duty, RUNNING, pid=attempt.begin(duty.assignment.node))

    def _end_process(self) -> bool:
        """End the role's process; whether there was one."""
        return self.attempt is not None and self.attempt.end()

    # ── what its role does ──────────────────────────────────────────────────────────────────────

    def watch(self) -> None:
        """See the role's process end; begin it again where that helps."""
        attempt, duty = self.attempt, self.duty
        if attempt is None or duty is None or attempt.exit is not None:
            return
        if attempt.is_due():
            self._begin(duty, attempt)
        code = attempt.poll()
        if code is None:
            return
        self._flush()
        if code in (DONE, RECIPE_FAILED):
            self._end(duty, attempt, Exit(code))
        else:
            self._note_crash(duty, attempt, code)

    def _note_crash(self, duty: Duty, attempt: Attempt, code: int) -> None:
        """Have the role begin again in a moment, or end for good."""
        if (ended := attempt.note_crash(code, duty.assignment.terms)) is not None:
            self._end(duty, attempt, ended)

    def _end(self, duty: Duty, attempt: Attempt, exit: Exit) -> None:
        """The role has ended for good: leave what there is, and only then say so."""
        work = duty.assignment.work
        if exit.code == DONE and attempt.checkpoints is not None and work is not None:
            reports.leave_export(self.bucket, f"{work.prefix}attempt-{work.attempt}/", attempt.folder)
        attempt.exit, attempt.ended_at = exit, time.monotonic()
        self.teller.note(duty, ENDED, exit=exit)

    def report(self) -> None:
        """Bring what is new to the bucket."""
        if self.attempt is not None:
            self.attempt.report()

    def _flush(self) -> None:
        if self.attempt is not None:
            self.attempt.flush()

    # ── when it is over ─────────────────────────────────────────────────────────────────────────

    def look_out(self) -> None:
        """Hear from AWS that this machine will be taken away."""
        if self.interrupted is None and (when := metadata.interruption()):
            self.interrupted = when
            if self.attempt is not None:
                self.attempt.note(
                    f"AWS takes this machine away at {when}; what it has is brought to the bucket"
                )
                self.attempt.flush()

    def consider_the_end(self) -> None:
        """End the machines when their job is over and nobody does, or this one when it belongs to nobody."""
        now = time.monotonic()
        if self.attempt is not None and self.attempt.exit is None:
            self.idle_since = None
        elif self.idle_since is None:
            self.idle_since = now
        if self.denied_since is not None and now - self.denied_since > self.denied_s:
            print("a policy denies this machine its work, as a budget's alarm does: it ends", flush=True)
            self._end_process()
            ending.shut_down()
            self.over = True
        elif self.duty is None:
            if now - self.lost_since > LOST_S:
                print("nobody knows this machine: it ends", flush=True)
                ending.shut_down()
                self.over = True
        elif why := ending.why_job_over(self.duty, self.attempt, clock=time.time()):
            self._end_job(self.duty, why)
        elif why := ending.why_over(
            self.duty, self.attempt, now=now, clock=time.time(), idle_since=self.idle_since
        ):
            self._end_job(self.duty, why)
            self._end_machines(why)

    def _end_job(self, duty: Duty, why: str) -> None:
        if self.attempt is not None and self.attempt.exit is None:
            self.attempt.end()
            self.attempt.note(why)
            self.attempt.flush()
            self._end(duty, self.attempt, Exit(-signal.SIGTERM, why))

    def _end_machines(self, why: str) -> None:
        self.teller.tell()
        print(why, flush=True)
        ending.end_others(self.bucket.session, self.cluster, self.instance)
        ending.shut_down()
        self.over = True


def main(arguments: list[str]) -> int:
    """``agent BUCKET CLUSTER HOME``: follow the assignment of this home's cluster; one agent a machine."""
    where, name, home = arguments
    root = Path(os.environ.get("WORKBENCH_MACHINE_ROOT") or ROOT)
    os.environ["WORKBENCH_HOME"] = str(root / "home")
    (root / "home" / "data").mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(locked(root / "agent.lock", 0))
        except TimeoutError:
            return 0
        try:
            role.shut_out_of_metadata(root)
        except Unavailable as error:
            print(error, file=sys.stderr, flush=True)
            return 1
        session = replace(Session.open(from_environment()), home=home)
        bucket = Bucket(session)
        bucket.name = where  # spares a question to AWS who we are
        agent = Agent(root, bucket, name, metadata.instance_id())

        def end(number: int, frame: object) -> None:
            agent.over = True

        signal.signal(signal.SIGTERM, end)
        agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
