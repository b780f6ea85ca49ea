"""What every machine of a cluster runs: ``python -m workbench.providers.aws.agent BUCKET CLUSTER HOME``.

It follows the cluster's assignment in the bucket: begins its role, brings what that reports to the bucket, begins it
again when it crashes, says what it does, and ends the machines when their job is over. It needs no other computer.
"""

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from workbench import events
from workbench.errors import Unavailable, WorkbenchError
from workbench.providers import Exit, Place, describe_code, machine_folder
from workbench.providers.aws import assignments, cluster, machine, names, role, transfer
from workbench.providers.aws.assignments import ENDED, READY, RUNNING, Assignment, Post, Status
from workbench.providers.aws.bucket import Bucket
from workbench.providers.aws.clients import Session
from workbench.providers.aws.transfer import Stream, Tree
from workbench.settings import from_environment

TICK_S = 0.1
REPORT_S = 1.0
FOLLOW_S = 10.0
"""Between two looks at the assignment, when nobody says that there is a new one."""
SEARCH_S = 1.0
"""The same while there is none yet."""
NOTICE_S = 5.0
LOST_S = 900.0
"""Without a place in an assignment, after which a machine ends itself."""
PAUSES_S = (1.0, 2.0, 5.0, 10.0, 20.0, 30.0)
"""Before a role begins again, the first time, the second, …"""
STEADY_S = 120.0
"""At work for so long counts as progress where nobody counts steps."""
BROKE_RESTARTS = 12
"""In a row without progress, where the fault is another machine's."""
RESTARTS_IN_ALL = 50
DONE, RECIPE_FAILED, CLUSTER_BROKE = 0, 3, 4
"""Exit codes of a node."""
STOPPED = Exit(-signal.SIGTERM, "stopped")
WAKE = "wake"
"""Touched by whoever has changed the assignment."""


@dataclass
class Attempt:
    """The role at work: its process, and what it has reported."""

    place: Place
    folder: Path
    streams: list[Stream]
    checkpoints: Tree | None
    process: "subprocess.Popen[bytes] | None" = None
    begun: float = 0.0
    again_at: float = 0.0
    restarts: int = 0
    in_vain: int = 0
    step: int = 0
    step_then: int = 0
    exit: Exit | None = None
    ended_at: float = 0.0


@dataclass
class Agent:
    """One machine's agent.

    Attributes
    ----------
    root
        The machine's folder of ours: ``env/``, ``code/``, ``jobs/``, ``home/``.
    """

    root: Path
    bucket: Bucket
    cluster: str
    instance: str
    assignment: Assignment | None = None
    place: Place | None = None
    post: Post | None = None
    attempt: Attempt | None = None
    over: bool = False
    told: str = ""
    seen_wake: int = 0
    due: dict[str, float] = field(default_factory=dict)
    lost_since: float = field(default_factory=time.monotonic)
    booted: float = field(default_factory=time.monotonic)
    interrupted: str | None = None

    @property
    def prefix(self) -> str:
        return names.cluster_prefix(self.bucket.session.home, self.cluster)

    def run(self) -> None:
        """Follow the assignment until the machine is switched off."""
        role.end_all_of_user(self.root)
        while not self.over:
            for do, every_s in (
                (self.follow, FOLLOW_S if self.post else SEARCH_S),
                (self.watch, TICK_S),
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

    def _is_due(self, name: str, every_s: float) -> bool:
        now = time.monotonic()
        if name == "follow" and (stamp := self._wake()) != self.seen_wake:
            self.seen_wake = stamp
        elif now < self.due.get(name, 0.0):
            return False
        self.due[name] = now + every_s
        return True

    def _wake(self) -> int:
        with contextlib.suppress(FileNotFoundError):
            return (self.root / WAKE).stat().st_mtime_ns
        return 0

    # ── what it is to do ────────────────────────────────────────────────────────────────────────

    def follow(self) -> None:
        """Take in the assignment; do what it asks for now."""
        content = self.bucket.get(f"{self.prefix}{assignments.FILE}")
        found = assignments.parse(content) if content else None
        posts = found.posts if found else {}
        place = next((p for p, post in posts.items() if post.instance == self.instance), None)
        if found is None or place is None:
            self._end_process()
            self.assignment = self.place = self.post = None
            return
        self.lost_since = time.monotonic()
        before = (self.assignment.generation, self.post) if self.assignment and self.post else None
        self.assignment, self.place, self.post = found, place, found.posts[place]
        if before == (found.generation, self.post):
            return
        same_job = bool(before and before[0] == found.generation and self.attempt)
        was_running = self._end_process()
        if not same_job:
            self._flush()
            self.attempt = None
        self._get_code(found.code)
        if found.work is None:
            self._clear_jobs()
            self._tell(READY)
        elif not self.post.run:
            self.attempt = self.attempt or self._prepare()
            self.attempt.exit = STOPPED if was_running or self.attempt.exit is None else self.attempt.exit
            self._flush()
            self._tell(ENDED, exit=self.attempt.exit)
        elif not self._has_ended_before():
            self.attempt = self._prepare()
            self._begin()

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
        """Fetch the job, and what the place had reported and kept when another machine had it."""
        assert self.assignment
        assert self.assignment.work
        assert self.place
        work, place = self.assignment.work, self.place
        folder = self.root / "jobs" / work.prefix.rstrip("/").rpartition("/")[2]
        self._clear_jobs(but=folder.name)
        machine_folder(folder, place).mkdir(parents=True, exist_ok=True)
        for path in folder.rglob(
            "*"
        ):  # where we are about to write as root, a recipe's code may have left links
            if path.is_symlink():
                path.unlink()
        for name in ("recipe", "export", transfer.FIELDS):
            _remove(folder / name)
        transfer.take(self.bucket, work.prefix, folder)
        for name in work.data:
            target = self.root / "home" / "data" / name
            if not target.exists():
                self.bucket.download(f"{transfer.DATA}{name}", target)
                target.chmod(0o644)
        streams = []
        reports = f"{work.prefix}reports/{place.role}-{place.index}/"
        for name in transfer.STREAMS:
            path = machine_folder(folder, place) / name
            stream = Stream(self.bucket, f"{reports}{name}/", path, name == "events.jsonl")
            stream.find_end()
            stream.read = self._read_before(stream)
            streams.append(stream)
        checkpoints = None
        if place == self.assignment.leader:
            tree = Tree(self.bucket, f"{work.prefix}checkpoints-{work.origin}/", folder / "checkpoints")
            origin = folder / ".origin"
            if not origin.exists() or origin.read_text() != str(work.origin):
                _remove(tree.folder)
            if not tree.folder.exists():
                tree.restore()
            origin.write_text(str(work.origin))
            checkpoints = tree
        return Attempt(place, folder, streams, checkpoints)

    def _begin(self) -> None:
        assert self.attempt
        assert self.assignment
        attempt = self.attempt
        attempt.process = role.begin(self.root, self.assignment.node, attempt.folder, attempt.place)
        attempt.begun, attempt.exit, attempt.step_then = time.monotonic(), None, attempt.step
        self._tell(RUNNING, pid=attempt.process.pid)

    def _end_process(self) -> bool:
        """End the role's process; whether there was one that ran."""
        attempt = self.attempt
        if attempt is None or attempt.process is None:
            return False
        role.end(self.root, attempt.process)
        attempt.process = None
        return True

    # ── what its role does ──────────────────────────────────────────────────────────────────────

    def watch(self) -> None:
        """See the role's process end; begin it again where that helps."""
        attempt = self.attempt
        if attempt is None or attempt.exit is not None:
            return
        if attempt.process is None:
            if attempt.again_at and time.monotonic() >= attempt.again_at:
                attempt.again_at = 0.0
                self._begin()
            return
        code = attempt.process.poll()
        if code is None:
            return
        role.end(self.root, attempt.process)
        attempt.process = None
        self._flush()
        if code in (DONE, RECIPE_FAILED):
            self._end(Exit(code))
            return
        self._count(code)

    def _count(self, code: int) -> None:
        """The role crashed: begin it again after a pause, or give up."""
        assert self.attempt
        assert self.assignment
        attempt, terms = self.attempt, self.assignment.terms
        lived = time.monotonic() - attempt.begun
        progress = attempt.step > attempt.step_then or (attempt.checkpoints is None and lived > STEADY_S)
        attempt.in_vain = 0 if progress else attempt.in_vain + 1
        most = min(BROKE_RESTARTS, 4 * terms.restarts) if code == CLUSTER_BROKE else terms.restarts
        if attempt.in_vain > most or attempt.restarts >= RESTARTS_IN_ALL or terms.restarts == 0:
            again = f"ended again and again, {attempt.restarts + 1} times, at last with {describe_code(code)}"
            self._end(Exit(code, again if attempt.restarts and code != CLUSTER_BROKE else ""))
            return
        pause = PAUSES_S[min(attempt.in_vain, len(PAUSES_S)) - 1] if attempt.in_vain else PAUSES_S[0]
        attempt.restarts += 1
        attempt.again_at = time.monotonic() + pause
        self._note(
            f"{attempt.place} ended with {describe_code(code)}; its machine starts it again in {pause:g} s"
        )

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
        attempt = self.attempt
        if attempt is None:
            return
        for stream in attempt.streams:
            if stream.pump():
                stream.trim()
                self._keep_read(stream)
        if attempt.checkpoints is not None:
            attempt.checkpoints.sync()
            attempt.step = _last_step(attempt.streams[0].path) or attempt.step

    def _flush(self) -> None:
        """Bring all of it."""
        attempt = self.attempt
        if attempt is None:
            return
        for stream in attempt.streams:
            while stream.pump():
                self._keep_read(stream)
        self.report()

    def _note(self, line: str) -> None:
        """Leave a line among the machine's own events."""
        if self.attempt is not None:
            place = self.attempt.place
            path = machine_folder(self.attempt.folder, place) / "events.jsonl"
            with events.Writer(path, place.role, place.index) as writer:
                writer.log(line)

    def _tell(self, state: str, *, pid: int | None = None, exit: Exit | None = None) -> None:
        """Say what the machine does, in the name of one object; the one before goes."""
        assert self.assignment
        assert self.place
        reason = exit.reason if exit else ""
        status = Status(
            state, self.instance, self.assignment.generation, self._post().turn, pid, exit, bool(reason)
        )
        key = assignments.status_folder(self.prefix, self.place) + status.name(assignments.new_serial())
        self.bucket.put(key, reason.encode())
        if self.told and self.told != key:
            self.bucket.delete(self.told)
        self.told = key

    def _post(self) -> Post:
        assert self.post
        return self.post

    # ── when it is over ─────────────────────────────────────────────────────────────────────────

    def look_out(self) -> None:
        """Hear from AWS that this machine will be taken away."""
        if self.interrupted is None and (when := machine.interruption()):
            self.interrupted = when
            self._note(f"AWS takes this machine away at {when}; what it has is brought to the bucket")
            self._flush()

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
            self._end_process()
            self._note(why)
            self._flush()
            self._end(Exit(-signal.SIGTERM, why))
        print(why, flush=True)
        session = self.bucket.session
        ids = [i.id for i in cluster.look(session, self.cluster) if i.id != self.instance]
        if ids:
            cluster.end(session, ids)
        shut_down()
        self.over = True

    # ── files ───────────────────────────────────────────────────────────────────────────────────

    def _get_code(self, key: str) -> None:
        """Have the code that the assignment names in ``code/``."""
        said = self.root / "code.key"
        if said.exists() and said.read_text().strip() == key:
            return
        packed, aside, old = (self.root / name for name in ("code.zip", "code.new", "code.old"))
        self.bucket.download(key, packed)
        for left in (aside, old):
            _remove(left)
        with zipfile.ZipFile(packed) as archive:
            archive.extractall(aside)
        if (self.root / "code").exists():
            (self.root / "code").rename(old)
        aside.rename(self.root / "code")
        _remove(old)
        said.write_text(key)

    def _clear_jobs(self, but: str = "") -> None:
        """Remove the jobs that the machine had before: the next one's code runs as the same user."""
        for path in (self.root / "jobs").glob("*"):
            if path.name != but:
                _remove(path)

    def _read_before(self, stream: Stream) -> int:
        """How much of the file had been brought before a reboot."""
        try:
            return int(json.loads((self.root / "streams.json").read_text()).get(stream.prefix, 0))
        except (OSError, ValueError):
            return 0

    def _keep_read(self, stream: Stream) -> None:
        path = self.root / "streams.json"
        try:
            values: dict[str, Any] = json.loads(path.read_text())
        except (OSError, ValueError):
            values = {}
        path.write_text(json.dumps({**values, stream.prefix: stream.read}))


def shut_down() -> None:
    """Switch this machine off, which terminates it."""
    subprocess.run(["shutdown", "-h", "now"], check=False)


def _last_step(path: Path) -> int:
    """The newest step in a machine's events; 0 where there is none near the end."""
    try:
        with transfer.open_plain(path) as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 16_384))
            lines = file.read().split(b"\n")
    except OSError:
        return 0
    steps = [e.step for line in lines if isinstance(e := events.parse(line), events.Metric)]
    return steps[-1] if steps else 0


def _remove(path: Path) -> None:
    if path.is_symlink() or path.is_file():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def main(arguments: list[str]) -> int:
    """``agent BUCKET CLUSTER HOME``: follow the assignment of this home's cluster; one agent a machine."""
    where, name, home = arguments
    root = Path(os.environ.get("WORKBENCH_MACHINE_ROOT") or "/opt/workbench")
    os.environ["WORKBENCH_HOME"] = str(root / "home")
    (root / "home" / "data").mkdir(parents=True, exist_ok=True)
    with (root / "agent.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return 0
        try:
            role.shut_out_of_metadata(root)
        except Unavailable as error:
            print(error, file=sys.stderr, flush=True)
            return 1
        session = replace(Session.open(from_environment()), home=home)
        bucket = Bucket(session)
        bucket.name = where  # spares a question to AWS who we are
        agent = Agent(root, bucket, name, machine.instance_id())

        def end(number: int, frame: object) -> None:
            agent.over = True

        signal.signal(signal.SIGTERM, end)
        agent.run()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
