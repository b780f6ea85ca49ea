"""The assignment of a cluster: one object in the bucket that says what its machines are to do.

The controller writes it, whole; each machine compares it with what it does. Whoever comes later finds the truth there: a
machine after a reboot, a provider in another process, a runner after its computer was off.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace

from workbench.machines import Place

PORT = 2222
"""At which TensorFlow's server listens on each machine."""
FILE = "assignment.json"


@dataclass(frozen=True)
class Terms:
    """Limits after which machines give up and end themselves, without anybody's help.

    Attributes
    ----------
    hours
        After each boot, whatever happens.
    deadline_s
        For a job, after its machines were launched or given the job; ``None`` for none.
    linger_s
        After a job is done or failed for good, for whoever submitted it to end the machines.
    idle_s
        Of a standing cluster, without a job at work; ``None`` for none.
    restarts
        Of a role without progress in between.
    """

    hours: float = 24.0
    deadline_s: float | None = None
    linger_s: float = 300.0
    idle_s: float | None = None
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
class AssignedJob:
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
    cap
        What the job may cost, in words, where that and not its time makes the deadline.
    """

    prefix: str
    generation: str
    origin: int = 1
    attempt: int = 1
    data: tuple[str, ...] = ()
    deadline: float | None = None
    cap: str = ""


@dataclass(frozen=True)
class Assignment:
    """The work of a cluster's machines: who has which place, in which job, and whether to run."""

    posts: Mapping[Place, Post]
    code: str
    node: str
    standing: bool
    """True for a cluster that outlives its job."""
    instance_type: str
    terms: Terms = field(default_factory=Terms)
    created: float = 0.0
    work: AssignedJob | None = None

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

    def put(self, place: Place, instance: str, address: str, since: float) -> "Assignment":
        """The same with another instance in this place."""
        post = replace(self.posts[place], instance=instance, address=address, since=since)
        return replace(self, posts={**self.posts, place: post})

    @property
    def places(self) -> list[Place]:
        """In the order of the layout."""
        order = ("chief", "ps", "worker")
        return sorted(self.posts, key=lambda place: (order.index(place.role), place.index))

    def begin(self, places: Iterable[Place]) -> "Assignment":
        """The same with these roles to be begun anew."""
        return self._next_turn(places, run=True)

    def end(self, places: Iterable[Place]) -> "Assignment":
        """The same with these roles to be at work no more."""
        return self._next_turn(places, run=False)

    def _next_turn(self, places: Iterable[Place], *, run: bool) -> "Assignment":
        turned = {
            place: replace(self.posts[place], turn=self.posts[place].turn + 1, run=run) for place in places
        }
        return replace(self, posts={**self.posts, **turned})

    def dump(self) -> bytes:
        """As an object of the bucket."""
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
        work=AssignedJob(**{**work, "data": tuple(work["data"])}) if work else None,
        **values,
    )
