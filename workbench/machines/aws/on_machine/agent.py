"""What every machine of a cluster runs: ``python -m workbench.machines.aws.on_machine.agent BUCKET CLUSTER HOME``.

It follows the cluster's assignment in the bucket: begins its role, brings what that reports to the bucket, begins it
again when it crashes, says what it does, and ends the machines when their job is over. It needs no other computer.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from workbench.aws import names
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.errors import Unavailable, WorkbenchError
from workbench.machines import Exit, Place
from workbench.machines.aws import instances
from workbench.machines.aws.exchange import assignments, transfer
from workbench.machines.aws.exchange.assignments import ENDED, READY, RUNNING, Assignment, Post, Status
from workbench.machines.aws.on_machine import metadata, role
from workbench.machines.aws.on_machine.attempt import Attempt
from workbench.machines.aws.on_machine.disk import Disk
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
DONE, RECIPE_FAILED = 0, 3
"""Exit codes of a node that is not to begin again."""
STOPPED = Exit(-signal.SIGTERM, "stopped")


@dataclass
class Agent:
    """One machine's agent: rounds of small things to do; what AWS refuses is done again in a later round."""

    root: Path
    bucket: Bucket
    cluster: str
    instance: str
    assignment: Assignment | None = None
    place: Place | None = None
    post: Post | None = None
    attempt: Attempt | None = None
    over: bool = False
    followed: tuple[str, Post] | None = None
    """Generation and post that have been taken in to the end."""
    told: str = ""
    """Key of what was said last."""
    to_tell: tuple[str, bytes] | None = None
    """Key and content of what is still to be said."""
    seen_wake: int = 0
    due: dict[str, float] = field(default_factory=dict)
    lost_since: float = field(default_factory=time.monotonic)
    booted: float = field(default_factory=time.monotonic)
    interrupted: str | None = None

    @property
    def disk(self) -> Disk:
        return Disk(self.root, self.bucket)

    @property
    def prefix(self) -> str:
        return names.cluster_prefix(self.bucket.session.home, self.cluster)

    def run(self) -> None:
        """Follow the assignment until the machine is switched off."""
        role.end_all_of_user(self.root)
        while not self.over:
            for do, every_s in (
                (self.follow, FOLLOW_S if self._is_settled() else SEARCH_S),
                (self.watch, TICK_S),
                (self.tell, TICK_S),
                (self.report, REPORT_S),
                (self.look_out, NOTICE_S),
                (self.consider_the_end, REPORT_S),
            ):
                if self._is_due(do.__name__, every_s):
                    try:
                        do()
                    except WorkbenchError as error:  # AWS is away for a moment: the next round tries again
                        print(f"{do.__name__}: {error}", file=sys.stderr, flush=True)
            time.sleep(TICK_S)
        self._end_process()
        self._flush()
        self.tell()

    def _is_settled(self) -> bool:
        assignment = self.assignment
        return assignment is not None and self.followed == (assignment.generation, self.post)

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
        content = self.bucket.get(f"{self.prefix}{assignments.FILE}")
        found = assignments.parse(content) if content else None
        posts = found.posts if found else {}
        place = next((p for p, post in posts.items() if post.instance == self.instance), None)
        if found is None or place is None:
            self._end_process()
            self.assignment = self.place = self.post = self.followed = None
            return
        self.lost_since = time.monotonic()
        self.assignment, self.place, self.post = found, place, found.posts[place]
        if self.followed == (found.generation, self.post):
            return
        was_running = self._end_process()
        if self.followed is None or self.followed[0] != found.generation:
            self._flush()
            self.attempt = None
        self.disk.get_code(found.code)
        if found.work is None:
            self.disk.clear_jobs()
            self._tell(READY)
        elif not self.post.run:
            self.attempt = self.attempt or self._prepare()
            self.attempt.exit = STOPPED if was_running or self.attempt.exit is None else self.attempt.exit
            self._flush()
            self._tell(ENDED, exit=self.attempt.exit)
        elif not self._has_ended_before():
            self.attempt = self._prepare()
            self._begin()
        self.followed = found.generation, self.post

    def _has_ended_before(self) -> bool:
        """Whether this machine had ended this very turn before it was switched off."""
        assert self.assignment
        assert self.place
        found = assignments.newest(self.bucket.list(self.prefix), self.prefix).get(self.place)
        if found is None or found[0].state != ENDED or not found[0].answers(self.assignment, self._post()):
            return False
        self.attempt = self._prepare()
        self.attempt.exit = found[0].exit
        self.attempt.ended_at = time.monotonic()
        return True

    def _prepare(self) -> Attempt:
        assert self.assignment
        assert self.assignment.work
        assert self.place
        return Attempt.prepare(
            self.disk, self.assignment.work, self.place, self.place == self.assignment.leader
        )

    def _begin(self) -> None:
        assert self.attempt
        assert self.assignment
        self._tell(RUNNING, pid=self.attempt.begin(self.assignment.node))

    def _end_process(self) -> bool:
        """End the role's process; whether there was one."""
        return self.attempt is not None and self.attempt.end()

    # ── what its role does ──────────────────────────────────────────────────────────────────────

    def watch(self) -> None:
        """See the role's process end; begin it again where that helps."""
        attempt = self.attempt
        if attempt is None or attempt.exit is not None:
            return
        if attempt.is_due():
            self._begin()
        code = attempt.poll()
        if code is None:
            return
        self._flush()
        assert self.assignment
        ended = (
            Exit(code) if code in (DONE, RECIPE_FAILED) else attempt.note_crash(code, self.assignment.terms)
        )
        if ended is not None:
            self._end(ended)

    def _end(self, exit: Exit) -> None:
        """The role has ended for good: leave what there is, and only then say so."""
        assert self.attempt
        assert self.assignment
        assert self.assignment.work
        attempt, work = self.attempt, self.assignment.work
        if exit.code == DONE and attempt.checkpoints is not None:
            transfer.leave_export(self.bucket, f"{work.prefix}attempt-{work.attempt}/", attempt.folder)
        attempt.exit, attempt.ended_at = exit, time.monotonic()
        self._tell(ENDED, exit=exit)

    def report(self) -> None:
        """Bring what is new to the bucket."""
        if self.attempt is not None:
            self.attempt.report()

    def _flush(self) -> None:
        if self.attempt is not None:
            self.attempt.flush()

    def _tell(self, state: str, *, pid: int | None = None, exit: Exit | None = None) -> None:
        """Have it said what the machine does."""
        assert self.assignment
        assert self.place
        reason = exit.reason if exit else ""
        status = Status(
            state, self.instance, self.assignment.generation, self._post().turn, pid, exit, bool(reason)
        )
        key = assignments.status_folder(self.prefix, self.place) + status.name(assignments.new_serial())
        self.to_tell = key, reason.encode()

    def tell(self) -> None:
        """Say what the machine does, in the name of one object; the one before goes."""
        if self.to_tell is None:
            return
        key, content = self.to_tell
        self.bucket.put(key, content)
        if self.told and self.told != key:
            self.bucket.delete(self.told)
        self.told, self.to_tell = key, None

    def _post(self) -> Post:
        assert self.post
        return self.post

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
        if self.assignment is None or self.post is None:
            if now - self.lost_since > LOST_S:
                print("nobody knows this machine: it ends", flush=True)
                shut_down()
                self.over = True
            return
        if self.assignment.standing or self.assignment.work is None:
            return
        deadline = self.assignment.work.deadline
        if deadline is not None and time.time() > deadline:
            self._give_up("the job's deadline has passed: its machines end")
            return
        attempt = self.attempt
        if attempt is None or attempt.exit is None or attempt.exit == STOPPED or not attempt.ended_at:
            return
        matters = attempt.exit.code != DONE or attempt.place == self.assignment.leader
        if matters and now - attempt.ended_at > self.assignment.terms.linger_s:
            self._give_up("the job is over and nobody ends its machines: they end themselves")

    def _give_up(self, why: str) -> None:
        if self.attempt is not None and self.attempt.exit is None:
            self.attempt.end()
            self.attempt.note(why)
            self.attempt.flush()
            self._end(Exit(-signal.SIGTERM, why))
        self.tell()
        print(why, flush=True)
        session = self.bucket.session
        ids = [i.id for i in instances.look(session, self.cluster) if i.id != self.instance]
        if ids:
            instances.end(session, ids)
        shut_down()
        self.over = True


def shut_down() -> None:
    """Switch this machine off, which terminates it."""
    subprocess.run(["shutdown", "-h", "now"], check=False)


def main(arguments: list[str]) -> int:
    """``agent BUCKET CLUSTER HOME``: follow the assignment of this home's cluster; one agent a machine."""
    where, name, home = arguments
    root = Path(os.environ.get("WORKBENCH_MACHINE_ROOT") or "/opt/workbench")
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
