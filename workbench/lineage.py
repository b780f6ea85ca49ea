"""Where a model version comes from: the version it went on from, the data sets, and the corrections and writers it learned."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, cast

from workbench.fields import Fields


@dataclass(frozen=True)
class Share:
    """How many of a number of drawings were recognised."""

    right: int
    of: int


@dataclass(frozen=True)
class BeforeAfter:
    """The same drawings, read by the version before and by this one."""

    before: Share
    after: Share


@dataclass(frozen=True)
class WritersPart:
    """The writers whose digits were collected, and whether they are read better now.

    Attributes
    ----------
    learned, drawings
        How many writers, and of their drawings, the version learned from.
    same
        Drawings of the same writers that were kept aside.
    others
        Drawings of writers of whom nothing was learned.
    """

    learned: int
    drawings: int
    same: BeforeAfter | None = None
    others: BeforeAfter | None = None


@dataclass(frozen=True)
class Parent:
    """The version that a training went on from.

    Attributes
    ----------
    start
        ``weights`` where it began with those of the version, ``recipe`` where only with its recipe.
    why
        The reason why not with its weights.
    """

    name: str
    version: int
    start: Literal["weights", "recipe"] = "weights"
    why: str = ""

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class CorrectedPart:
    """The corrections that a version was trained with.

    Attributes
    ----------
    version, used
        Of the exported corrections, and the ids of those that were read.
    told, after
        Of these, what visitors were told and what this version says.
    replaced, metrics_before, metrics_after
        The version before this one, and both versions' figures on the held-out part.
    """

    version: int
    used: tuple[str, ...]
    told: Share | None = None
    after: Share | None = None
    replaced: int | None = None
    metrics_before: Mapping[str, float] = field(default_factory=dict)
    metrics_after: Mapping[str, float] = field(default_factory=dict)
    writers: WritersPart | None = None


@dataclass(frozen=True)
class DatasetPin:
    """One version of a data set, by number and content."""

    version: int
    sha256: str


def parse_pins(fields: Fields, key: str) -> dict[str, DatasetPin]:
    """Read the versions of data sets in an object, by name; none where it is not there."""
    parts = {name: fields.part(key).part(name) for name in (fields.object(key) if key in fields else ())}
    return {name: DatasetPin(part.whole("version"), part.text("sha256")) for name, part in parts.items()}


def parse_corrected(fields: Fields) -> CorrectedPart:
    """Read what a version learned from corrections."""
    evaluation, held_out = fields.part("evaluation"), fields.part("held_out")
    before = held_out.numbers("before")
    return CorrectedPart(
        version=fields.whole("version"),
        used=fields.texts("used"),
        told=evaluation.optional("before", lambda key: _share(evaluation.part(key))),
        after=evaluation.optional("after", lambda key: _share(evaluation.part(key))),
        replaced=int(before["version"]) if "version" in before else None,
        metrics_before={name: value for name, value in before.items() if name != "version"},
        metrics_after=held_out.numbers("after"),
        writers=fields.optional("writers", lambda key: _writers(fields.part(key))),
    )


def _writers(fields: Fields) -> WritersPart:
    def compared(key: str) -> BeforeAfter:
        part = fields.part(key)
        return BeforeAfter(_share(part.part("before")), _share(part.part("after")))

    return WritersPart(
        fields.whole("learned"),
        fields.whole("drawings"),
        fields.optional("same", compared),
        fields.optional("others", compared),
    )


def parse_parent(fields: Fields) -> Parent:
    """Read which version a training went on from."""
    start = fields.text("start", "weights")
    if start not in ("weights", "recipe"):
        fields.refuse("start", "weights or recipe")
    return Parent(
        fields.text("name"),
        fields.whole("version"),
        cast(Literal["weights", "recipe"], start),
        fields.text("why", ""),
    )


def _share(fields: Fields) -> Share:
    return Share(fields.whole("right"), fields.whole("of"))


def corrected_as_json(corrected: CorrectedPart) -> dict[str, object]:
    """What a version learned from corrections, as the manifest has it."""
    evaluation = {"before": corrected.told, "after": corrected.after}
    told: dict[str, object] = {
        "version": corrected.version,
        "used": list(corrected.used),
        "evaluation": {name: vars(share) for name, share in evaluation.items() if share},
    }
    if corrected.replaced is not None:
        before = {"version": corrected.replaced, **corrected.metrics_before}
        told["held_out"] = {"before": before, "after": dict(corrected.metrics_after)}
    if writers := corrected.writers:
        sides = {"same": writers.same, "others": writers.others}
        told["writers"] = {
            "learned": writers.learned,
            "drawings": writers.drawings,
            **{n: {"before": vars(s.before), "after": vars(s.after)} for n, s in sides.items() if s},
        }
    return told
