"""Doubt of an answer, and the digits that were read one by one."""

from collections.abc import Mapping
from dataclasses import dataclass

from workbench.doubt import Kind


@dataclass(frozen=True)
class Part:
    """One digit of several, with its probabilities."""

    digit: int
    probabilities: tuple[float, ...]

    @property
    def probability(self) -> float:
        """How sure the model is of this part."""
        return max(self.probabilities)


@dataclass(frozen=True)
class Doubt:
    """What speaks against taking an answer as one digit, from 0 to 1, and the digits that were read one by one."""

    kind: Kind
    score: float
    parts: tuple[Part, ...] = ()

    def as_json(self) -> Mapping[str, object]:
        """The doubt, and the parts if there are any, as they stand in an answer."""
        told: dict[str, object] = {"doubt": {"kind": self.kind, "score": round(self.score, 6)}}
        if self.parts:
            told["parts"] = [
                {"digit": part.digit, "probabilities": [round(p, 6) for p in part.probabilities]}
                for part in self.parts
            ]
        return told
