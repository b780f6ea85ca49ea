"""What is kept of a drawing whose true digit somebody gave, and what came with it."""

from dataclasses import dataclass

STATES = ("waiting", "accepted", "rejected")
CORRECTION, COLLECTED = "correction", "collected"
KINDS = (CORRECTION, COLLECTED)


@dataclass(frozen=True)
class Opinion:
    """What the version that answered made of a drawing when it came."""

    model: str | None = None
    version: int | None = None
    probabilities: tuple[float, ...] | None = None
    """One a class; ``None`` where no model answered."""
    doubt: str | None = None
    """``no_digit`` or ``several``; ``None`` where it had none."""


@dataclass(frozen=True)
class Giver:
    """Who gave a drawing.

    Attributes
    ----------
    visitor
        The address that it came from.
    kind
        ``correction``, of an answer that was wrong, or ``collected``, a digit that was asked for.
    writer
        A name, or empty.
    session
        What the page of one writer made up, and keeps to itself; empty for a correction.
    """

    visitor: str
    kind: str = CORRECTION
    writer: str = ""
    session: str = ""


@dataclass(frozen=True)
class Kept:
    """A drawing's id, whether it is new, and the secret with which its page may take it back while it waits."""

    id: str
    new: bool
    secret: str | None


@dataclass(frozen=True)
class TakenBack:
    """How many drawings were taken back, and why others were not."""

    taken: int
    reviewed: int
    unknown: int


@dataclass(frozen=True)
class Correction:
    """A drawing whose true digit somebody gave."""

    number: int
    """Counts up."""
    id: str
    t: str
    state: str
    kind: str
    predicted: int | None
    digit: int
    opinion: Opinion
    writer: str
    session: str
    """Names one writer's visit to *Collect*, and tells nothing else; empty for a correction."""
    picture: bytes
    """The drawing's ink as a grey PNG."""
    seen: bytes
    """28×28 bytes: what a model sees."""

    def describe(self) -> dict[str, object]:
        """Give all but the picture, as JSON has it."""
        opinion = self.opinion
        return {
            "id": self.id,
            "t": self.t,
            "state": self.state,
            "kind": self.kind,
            "predicted": self.predicted,
            "digit": self.digit,
            "model": opinion.model,
            "version": opinion.version,
            "probabilities": None if opinion.probabilities is None else list(opinion.probabilities),
            "doubt": opinion.doubt,
            "writer": self.writer,
            "session": self.session,
        }
