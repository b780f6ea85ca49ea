"""What a cluster's machines are to do, and what each does: small objects in the bucket that both sides read.

The provider writes one assignment a cluster, whole; each machine compares it with what it does. Whoever comes later
finds the truth there: a machine after a reboot, a provider in another process, a runner after its computer was off.
What a machine does is told by the *name* of one object, so that one listing tells it of all machines.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from workbench.aws.bucket import Stored
from workbench.machines import Exit, Place

PORT = 2222
"""At which TensorFlow's server listens on each machine."""
FILE = "assignment.json"
READY, RUNNING, ENDED = "ready", "running", "ended"
"""What a machine can do: stand ready, be at work (or about to begin again), have ended."""


@dataclass(frozen=True)
class Terms:
    """When machines give up and end themselves, without anybody's help.

    Attributes
    ----------
    hours
        After each boot, whatever happens.
    deadline_s
        For a job, after its machines were launched or given the job; ``None`` for none.
    linger_s
        After a job is done or failed for good, for whoever submitted it to end the machines.
    restarts
        Of a role without progress in between.
    """

    hours: float = 24.0
    deadline_s: float | None = None
    linger_s: float = 300.0
    restarts: int = 3


@dataclass(frozen=True)
class Post:
    """One place and who has it.

    Attributes
    ----------
    turn
        Grows each time the role is to begin anew or to end, so that what was said before is no answer.
    run
        Whether the role is to be at work at all.
    since
        When the instance was asked for, in seconds since the epoch.
    """

    instance: str
    address: str
    turn: int = 1
    run: bool = True
    since: float = 0.0


@dataclass(frozen=True)
class Work:
    """A job as machines get it.

    Attributes
    ----------
    prefix
        Where in the bucket its files are.
    generation
        Another one for each time a job is given to the cluster.
    origin, attempt
        As the job has them; they part the checkpoints and the exports.
    data
        Names of the files of data sets that it reads.
    deadline
        Seconds since the epoch.
    """

    prefix: str
    generation: str
    origin: int = 1
    attempt: int = 1
    data: tuple[str, ...] = ()
    deadline: float | None = None


@dataclass(frozen=True)
class Assignment:
    """What the machines of a cluster are to do."""

    posts: Mapping[Place, Post]
    code: str
    node: str
    standing: bool
    """Whether the cluster outlives its job."""
    instance_type: str
    terms: Terms = field(default_factory=Terms)
    created: float = 0.0
    work: Work | None = None

    @property
    def generation(self) -> str:
        return self.work.generation if self.work else "none"

    @property
    def addresses(self) -> dict[str, list[str]]:
        """As ``job.json`` has them: role → ``host:port`` by index."""
        found: dict[str, list[str]] = {}
        for place in sorted(self.posts):
            found.setdefault(place.role, []).append(f"{self.posts[place].address}:{PORT}")
        return {role: found[role] for role in ("chief", "ps", "worker") if role in found}

    @property
    def leader(self) -> Place:
        return Place("chief", 0) if Place("chief", 0) in self.posts else Place("worker", 0)

    def change(self, places: Iterable[Place], **values: object) -> "Assignment":
        """The same with other values in some posts."""
        changed = {place: replace(self.posts[place], **values) for place in places}  # type: ignore[arg-type]
        return replace(self, posts={**self.posts, **changed})

    def begin(self, places: Iterable[Place]) -> "Assignment":
        """The same with these roles to be begun anew."""
        begun = {
            place: replace(self.posts[place], turn=self.posts[place].turn + 1, run=True) for place in places
        }
        return replace(self, posts={**self.posts, **begun})

    def end(self, places: Iterable[Place]) -> "Assignment":
        """The same with these roles to be at work no more."""
        ended = {
            place: replace(self.posts[place], turn=self.posts[place].turn + 1, run=False) for place in places
        }
        return replace(self, posts={**self.posts, **ended})

    def dump(self) -> bytes:
        values = asdict(replace(self, posts={}))
        values["posts"] = [[*place.pair, asdict(post)] for place, post in sorted(self.posts.items())]
        return json.dumps(values).encode()


def parse(content: bytes) -> Assignment:
    """The assignment in an object."""
    values = json.loads(content)
    work = values.pop("work")
    return Assignment(
        posts={Place(role, index): Post(**post) for role, index, post in values.pop("posts")},
        terms=Terms(**values.pop("terms")),
        work=Work(**{**work, "data": tuple(work["data"])}) if work else None,
        **values,
    )


@dataclass(frozen=True)
class Status:
    """What a machine does.

    >>> status = Status("running", "i-1", "0a1b", 2, pid=77)
    >>> read_name(status.name(5)) == status
    True
    """

    state: str
    instance: str
    generation: str
    turn: int
    pid: int | None = None
    exit: Exit | None = None
    """Without its reason, which is in the object."""
    has_reason: bool = False

    def name(self, serial: int) -> str:
        """The name of the object that tells it; a later one has a larger serial."""
        code = "" if self.exit is None else str(self.exit.code)
        parts = (
            self.state,
            self.instance,
            self.generation,
            self.turn,
            self.pid or "",
            code,
            int(self.has_reason),
        )
        return ".".join([f"{serial:015d}", *map(str, parts)])

    def answers(self, assignment: Assignment, post: Post) -> bool:
        """Whether the machine told it after it had learnt of this very assignment, and has done what it asks for."""
        told = (self.instance, self.generation, self.turn)
        obeys = post.run or self.state != RUNNING
        return obeys and told == (post.instance, assignment.generation, post.turn)


def read_name(name: str) -> Status:
    _, state, instance, generation, turn, pid, code, reason = name.split(".")
    ended = Exit(int(code)) if code else None
    return Status(state, instance, generation, int(turn), int(pid) if pid else None, ended, reason == "1")


def status_folder(prefix: str, place: Place) -> str:
    """Where the statuses of a machine are; ``prefix`` is the cluster's."""
    return f"{prefix}status/{place.role}-{place.index}/"


def new_serial() -> int:
    """Larger than any before, also after a reboot and on the machine that takes another's place."""
    return time.time_ns() // 1000


def newest(found: Iterable[Stored], prefix: str) -> dict[Place, tuple[Status, str]]:
    """Of a listing of the cluster's prefix: the newest status of each place, and its key."""
    latest: dict[Place, str] = {}
    begin = f"{prefix}status/"
    for stored in found:
        if stored.key.startswith(begin):
            folder = stored.key[len(begin) :].partition("/")[0]
            role, _, index = folder.rpartition("-")
            place = Place(role, int(index))
            latest[place] = max(latest.get(place, ""), stored.key)
    return {place: (read_name(key.rpartition("/")[2]), key) for place, key in latest.items()}
