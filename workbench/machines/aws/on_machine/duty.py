"""A machine's duty: its place in the cluster's assignment, and how it says what it does there."""

from dataclasses import dataclass

from workbench.aws.bucket import Bucket
from workbench.machines import Exit, Place
from workbench.machines.aws.exchange import assignments, statuses
from workbench.machines.aws.exchange.assignments import Assignment, Post
from workbench.machines.aws.exchange.statuses import Status


@dataclass(frozen=True)
class Duty:
    """One machine's part of an assignment."""

    assignment: Assignment
    place: Place
    post: Post

    @property
    def leads(self) -> bool:
        """True for the machine that evaluates, writes checkpoints and exports."""
        return self.place == self.assignment.leader

    @property
    def key(self) -> tuple[str, Post]:
        """Another one whenever there is something else to do."""
        return self.assignment.generation, self.post


def find(content: bytes | None, instance: str) -> Duty | None:
    """The duty of an instance in the assignment that the bucket has; ``None`` where it has none."""
    if content is None:
        return None
    assignment = assignments.parse(content)
    for place, post in assignment.posts.items():
        if post.instance == instance:
            return Duty(assignment, place, post)
    return None


@dataclass
class Teller:
    """Says in the bucket what the machine does; what could not be said is said later.

    Attributes
    ----------
    prefix
        The cluster's.
    """

    bucket: Bucket
    prefix: str
    _told: str = ""
    """Key of what was said last."""
    _to_tell: tuple[str, bytes] | None = None
    """Key and content of what is still to be said."""

    def note(self, duty: Duty, state: str, *, pid: int | None = None, exit: Exit | None = None) -> None:
        """Have it said what the machine does."""
        reason = exit.reason if exit else ""
        status = Status(
            state,
            duty.post.instance,
            duty.assignment.generation,
            duty.post.turn,
            pid,
            exit,
            bool(reason),
        )
        key = statuses.status_folder(self.prefix, duty.place) + status.name(statuses.new_serial())
        self._to_tell = key, reason.encode()

    def tell(self) -> None:
        """Say what the machine does, in the name of one object; the one before goes."""
        if self._to_tell is None:
            return
        key, content = self._to_tell
        self.bucket.put(key, content)
        if self._told and self._told != key:
            self.bucket.delete(self._told)
        self._told, self._to_tell = key, None

    def read(self, duty: Duty) -> Status | None:
        """Read what this place said last, if that answers the duty."""
        listed = self.bucket.list(self.prefix)
        found = statuses.newest(listed, self.prefix).get(duty.place)
        return found[0] if found and found[0].answers(duty.assignment, duty.post) else None
