"""Two versions of a model, told apart by what they answer: typed, parsed once, and written again as the JSON it came as."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True)
class Said:
    """One version's answer to a drawing."""

    digit: int
    probability: float


@dataclass(frozen=True)
class Disagreement:
    """A drawing to which two versions gave different answers."""

    t: str
    picture: str
    """A data URL."""
    answers: Mapping[int, Said]


@dataclass(frozen=True)
class Recognised:
    """Accepted corrections that a version recognises, with the 95 % interval of that share."""

    right: int
    accuracy: float
    low: float
    high: float


@dataclass(frozen=True)
class Comparison:
    """Two versions of a model, told apart by what they answer."""

    name: str
    versions: tuple[int, int]
    metrics: Mapping[int, Mapping[str, float]]
    """Version → its manifest's metrics."""
    drawings: int
    """Drawings that both answered, as active version and canary."""
    agreed: int
    disagreements: tuple[Disagreement, ...]
    corrections: int
    """Accepted corrections that both were asked about."""
    recognised: Mapping[int, Recognised]

    @classmethod
    def from_json(cls, said: Any) -> Self:
        one, other = said["versions"]
        drawings, corrections = said["drawings"], said["corrections"]
        return cls(
            name=str(said["name"]),
            versions=(int(one), int(other)),
            metrics={int(version): dict(found) for version, found in said["metrics"].items()},
            drawings=int(drawings["count"]),
            agreed=int(drawings["agreed"]),
            disagreements=tuple(
                Disagreement(
                    str(case["t"]),
                    str(case["picture"]),
                    {
                        int(v): Said(int(a["digit"]), float(a["probability"]))
                        for v, a in case["answers"].items()
                    },
                )
                for case in drawings["disagreements"]
            ),
            corrections=int(corrections["count"]),
            recognised={
                int(v): Recognised(int(r["right"]), float(r["accuracy"]), float(r["low"]), float(r["high"]))
                for v, r in corrections["versions"].items()
            },
        )

    def as_json(self) -> dict[str, object]:
        cases = [
            {
                "t": case.t,
                "picture": case.picture,
                "answers": {
                    str(v): {"digit": said.digit, "probability": said.probability}
                    for v, said in case.answers.items()
                },
            }
            for case in self.disagreements
        ]
        versions = {
            str(v): {"right": r.right, "accuracy": r.accuracy, "low": r.low, "high": r.high}
            for v, r in self.recognised.items()
        }
        return {
            "name": self.name,
            "versions": list(self.versions),
            "metrics": {str(version): dict(found) for version, found in self.metrics.items()},
            "drawings": {"count": self.drawings, "agreed": self.agreed, "disagreements": cases},
            "corrections": {"count": self.corrections, "versions": versions},
        }
