"""Corrections as a back end tells them, and why accepting one may need a second thought."""

from dataclasses import dataclass, replace
from typing import Any, Literal, Self

State = Literal["waiting", "accepted", "rejected"]
Verdict = Literal["accept", "reject", "reopen"]
CERTAIN = 0.99
"""Probability from which on a model that says something else makes a correction absurd."""


@dataclass(frozen=True)
class Correction:
    """A drawing whose true digit a visitor gave."""

    id: str
    t: str
    state: State
    predicted: int | None
    digit: int
    model: str | None
    version: int | None
    number: int | None = None
    """Counts up; a reviewed correction comes without."""
    picture: str = ""
    """A data URL, where it was asked for."""
    kind: str = "correction"
    """... or ``collected``: a digit that a writer was asked for."""
    writer: str = ""
    """The name that a writer gave, or none."""
    session: str = ""
    """Names one writer's visit; empty for a correction."""
    probabilities: tuple[float, ...] | None = None
    """Of each class, as the model said when the drawing came; ``None`` where none was asked."""
    doubt: str | None = None
    """``no_digit`` or ``several``."""

    @property
    def sure(self) -> float | None:
        """The probability that the model gave to its answer."""
        return max(self.probabilities) if self.probabilities else None

    @property
    def absurd(self) -> str:
        """Why accepting it needs a second thought, in words; empty where it needs none."""
        if self.doubt == "no_digit":
            return "the model sees no digit in it"
        if self.doubt == "several":
            return "the model sees several digits in it"
        if self.probabilities and self.sure is not None and self.sure >= CERTAIN:
            said = self.probabilities.index(self.sure)
            if said != self.digit:
                return f"the model is {100 * min(self.sure, 0.999):.1f} % sure that it is a {said}"
        return ""

    @classmethod
    def from_json(cls, said: Any) -> Self:
        found = said.get("probabilities")
        return cls(
            kind=str(said.get("kind") or "correction"),
            writer=str(said.get("writer") or ""),
            session=str(said.get("session") or ""),
            probabilities=None if found is None else tuple(map(float, found)),
            doubt=_text(said.get("doubt")),
            id=str(said["id"]),
            t=str(said["t"]),
            state=said["state"],
            predicted=_number(said["predicted"]),
            digit=int(said["digit"]),
            model=_text(said["model"]),
            version=_number(said["version"]),
            number=_number(said.get("number")),
            picture=str(said.get("picture", "")),
        )

    def without_picture(self) -> Self:
        return replace(self, picture="")

    def as_json(self) -> dict[str, object]:
        return {
            "id": self.id,
            "t": self.t,
            "state": self.state,
            "predicted": self.predicted,
            "digit": self.digit,
            "model": self.model,
            "version": self.version,
            "kind": self.kind,
            "writer": self.writer,
            "session": self.session,
            "probabilities": None if self.probabilities is None else list(self.probabilities),
            "doubt": self.doubt,
            **({} if self.number is None else {"number": self.number}),
            **({"picture": self.picture} if self.picture else {}),
        }


@dataclass(frozen=True)
class Counts:
    """Corrections in each state."""

    waiting: int = 0
    accepted: int = 0
    rejected: int = 0

    @classmethod
    def from_json(cls, said: Any) -> Self:
        return cls(int(said["waiting"]), int(said["accepted"]), int(said["rejected"]))

    def as_json(self) -> dict[str, object]:
        return {"waiting": self.waiting, "accepted": self.accepted, "rejected": self.rejected}


@dataclass(frozen=True)
class CorrectionPage:
    """Some corrections, the oldest first, and how many there are in all."""

    corrections: tuple[Correction, ...]
    counts: Counts

    @classmethod
    def from_json(cls, said: Any) -> Self:
        return cls(tuple(map(Correction.from_json, said["corrections"])), Counts.from_json(said["counts"]))

    def as_json(self) -> dict[str, object]:
        return {"corrections": [c.as_json() for c in self.corrections], "counts": self.counts.as_json()}


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
