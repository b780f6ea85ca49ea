"""Answers of a back end: frozen, typed, parsed once where they arrive and written again as the JSON they came as."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Self, get_args

from workbench.errors import BadInput
from workbench.manifest import OutputKind

Source = str | Path
"""A URL, or a file here."""


@dataclass(frozen=True)
class Canary:
    """A version that answers a share of the drawings beside the active one."""

    version: int
    percent: float
    since: str


@dataclass(frozen=True)
class Deployment:
    """A model that serves: its active version, the one before, and a canary."""

    name: str
    version: int
    since: str
    """UTC, as ``2026-11-22T10:00:00Z``; so with every time here."""
    previous: int | None
    canary: Canary | None
    labels: tuple[str, ...]
    preprocessing: str
    metrics: Mapping[str, float]

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"

    @property
    def versions(self) -> tuple[int, ...]:
        """All that the back end certainly has."""
        others = self.previous, self.canary.version if self.canary else None
        return (self.version, *(version for version in others if version is not None))

    @classmethod
    def from_json(cls, said: Any) -> Self:
        canary = said["canary"]
        return cls(
            name=str(said["name"]),
            version=int(said["version"]),
            since=str(said["since"]),
            previous=_number(said.get("previous")),
            canary=Canary(int(canary["version"]), float(canary["percent"]), str(canary["since"]))
            if canary
            else None,
            labels=tuple(map(str, said["labels"])),
            preprocessing=str(said["preprocessing"]),
            metrics=dict(said["metrics"]),
        )

    def as_json(self) -> dict[str, object]:
        canary = self.canary
        return {
            "name": self.name,
            "version": self.version,
            "since": self.since,
            "previous": self.previous,
            "canary": canary
            and {"version": canary.version, "percent": canary.percent, "since": canary.since},
            "labels": list(self.labels),
            "preprocessing": self.preprocessing,
            "metrics": dict(self.metrics),
        }


@dataclass(frozen=True)
class Change:
    """One line of a model's history: who changed what serves, when and why."""

    t: str
    action: str
    """``activate``, ``canary`` or ``rollback``."""
    version: int
    who: str
    reason: str
    percent: float | None = None
    """Of a canary; 0 ended it."""

    @classmethod
    def from_json(cls, said: Any) -> Self:
        percent = said.get("percent")
        return cls(
            str(said["t"]),
            str(said["action"]),
            int(said["version"]),
            str(said.get("who") or ""),
            str(said.get("reason") or ""),
            None if percent is None else float(percent),
        )

    def as_json(self) -> dict[str, object]:
        line = {"t": self.t, "action": self.action, "version": self.version}
        share = {} if self.percent is None else {"percent": self.percent}
        return {**line, **share, "who": self.who, "reason": self.reason}


@dataclass(frozen=True)
class Doubt:
    """What speaks against taking a drawing as one digit: ``no_digit`` or ``several``, and how much, 0 to 1."""

    kind: str
    score: float

    def as_json(self) -> dict[str, object]:
        return {"kind": self.kind, "score": self.score}


@dataclass(frozen=True)
class Prediction:
    """A back end's answer to a drawing."""

    digit: int | None
    """``None`` where nothing is drawn; ``reason`` says so."""
    label: str | None
    probabilities: tuple[float, ...] | None
    model: str
    version: int
    seen: str | None
    """The picture that the model was given, as a data URL."""
    latency_ms: float
    reason: str = ""
    doubt: Doubt | None = None
    parts: tuple[int, ...] = ()
    """The digits that several were read as."""

    @classmethod
    def from_json(cls, said: Any) -> Self:
        found, doubt = said["probabilities"], said.get("doubt")
        return cls(
            doubt=doubt and Doubt(str(doubt["kind"]), float(doubt["score"])),
            parts=tuple(int(part["digit"]) for part in said.get("parts") or ()),
            digit=_number(said["digit"]),
            label=_text(said.get("label")),
            probabilities=None if found is None else tuple(map(float, found)),
            model=str(said["model"]),
            version=int(said["version"]),
            seen=_text(said.get("seen")),
            latency_ms=float(said["latency_ms"]),
            reason=str(said.get("reason", "")),
        )

    def as_json(self) -> dict[str, object]:
        found = self.probabilities
        return {
            "digit": self.digit,
            "label": self.label,
            "probabilities": None if found is None else list(found),
            "model": self.model,
            "version": self.version,
            "seen": self.seen,
            "doubt": self.doubt and self.doubt.as_json(),
            **({"parts": [{"digit": digit} for digit in self.parts]} if self.parts else {}),
            **({"reason": self.reason} if self.reason else {}),
            "latency_ms": self.latency_ms,
        }


@dataclass(frozen=True)
class Classified:
    """Any model's answer to a picture."""

    index: int | None
    """Of the likeliest class; ``None`` where nothing is drawn, which ``reason`` says, or the model gives a name alone."""
    label: str | None
    scores: tuple[float | None, ...] | None
    """A class each; ``None`` for what is no number; none at all where the model names its class only."""
    model: str
    labels: tuple[str, ...] = ()
    seen: str | None = None
    reason: str = ""
    output: str = ""
    """Name of the output that was read."""
    kind: OutputKind | None = None
    """What the scores are; ``None`` where that cannot be told."""
    outputs: tuple["OutputSaid", ...] = ()
    """What each output says, where there are several."""

    @classmethod
    def from_json(cls, said: Any) -> Self:
        scores = said["scores"]
        return cls(
            index=_number(said["class"]),
            label=_text(said["label"]),
            scores=None if scores is None else tuple(None if s is None else float(s) for s in scores),
            model=str(said["model"]),
            labels=tuple(map(str, said.get("labels") or ())),
            seen=_text(said.get("seen")),
            reason=str(said.get("reason", "")),
            output=str(said.get("output") or ""),
            kind=_kind(said.get("kind")),
            outputs=tuple(
                OutputSaid.from_json(name, one) for name, one in (said.get("outputs") or {}).items()
            ),
        )

    def as_json(self) -> dict[str, object]:
        told = {
            "class": self.index,
            "label": self.label,
            "scores": None if self.scores is None else list(self.scores),
        }
        if self.scores is None:
            return {**told, "reason": self.reason, "model": self.model}
        more = {"labels": list(self.labels), "output": self.output, "kind": self.kind, "seen": self.seen}
        each = {one.name: one.as_json() for one in self.outputs}
        return {**told, "model": self.model, **more, **({"outputs": each} if each else {})}


@dataclass(frozen=True)
class OutputSaid:
    """What one of several outputs says."""

    name: str
    index: int | None
    """Of the likeliest class; ``None`` of quantities."""
    scores: tuple[float | None, ...]
    kind: OutputKind | None
    label: str | None = None
    """What the class is called, where that is known."""

    @classmethod
    def from_json(cls, name: str, said: Any) -> Self:
        scores = tuple(None if score is None else float(score) for score in said["scores"])
        return cls(name, _number(said["class"]), scores, _kind(said.get("kind")), _text(said.get("label")))

    def as_json(self) -> dict[str, object]:
        told: dict[str, object] = {"class": self.index, "scores": list(self.scores), "kind": self.kind}
        return told if self.label is None else {**told, "label": self.label}


def opened(path: Path) -> IO[bytes]:
    """The file, open; raises ``BadInput`` where it cannot be read."""
    try:
        return path.open("rb")
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}") from error


def _number(value: Any) -> int | None:
    return None if value is None else int(value)


def _kind(value: Any) -> OutputKind | None:
    return value if value in get_args(OutputKind) else None


def _text(value: Any) -> str | None:
    return None if value is None else str(value)
