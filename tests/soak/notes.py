"""What a run notes down while it goes on; ``judging`` reads it. Times are seconds of one monotonic clock."""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """One drawing that was sent; ``status`` 0: the connection broke, or nobody listened."""

    began: float
    ended: float
    status: int
    digit: str = ""
    version: int | None = None
    """Where the answer says it: the 2020 form gives the bare digit."""
    said: str = ""
    """Of a failure."""


@dataclass(frozen=True)
class Change:
    """A deployment or rollback that was asked for; ``version`` None: nobody knows to which."""

    began: float
    ended: float
    version: int | None
    done: bool


@dataclass(frozen=True)
class Hit:
    """Something that was done to the workbench; ``ended`` where it lasted."""

    t: float
    kind: str
    pid: int = 0
    ended: float | None = None


@dataclass(frozen=True)
class Sample:
    """Of one kind of process: memory (MB, PSS) and open files of the largest of them, none younger than a while."""

    t: float
    kind: str
    pss_mb: float
    files: int


@dataclass
class Notes:
    """All of a run; lists are appended to by several threads, which Python does whole."""

    answers: list[Answer] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    hits: list[Hit] = field(default_factory=list)
    samples: list[Sample] = field(default_factory=list)
    submitted: list[int] = field(default_factory=list)
    """Jobs whose ids were given to us."""
    refused: list[str] = field(default_factory=list)
    """Commands that failed, and what they said."""
    asked_to_end: set[int] = field(default_factory=set)
    acknowledged: list[str] = field(default_factory=list)
    """Ids of corrections, once for each time that one was acknowledged."""
    not_taken: int = 0
    """Corrections that were not acknowledged."""
