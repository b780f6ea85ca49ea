"""Which drawings are learned and which are kept aside, so that a retraining can say whom it reads better.

A fourth of each writer's drawings, and all drawings of each fifth writer, of one at least, are not learned: they tell how
well the model reads those writers, and others. A drawing's side follows from its id and a writer's from the session alone, so both are on
the same side in every later version, too. Corrections have no writer that is known, and are all learned.
"""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Self

Side = Literal["learned", "same", "others"]
"""Learned; kept aside of a writer whose other drawings are learned; kept aside with all of the writer's."""
EACH_DRAWING = 4
EACH_WRITER = 5
"""From so many writers on; of fewer, all are learned."""
COLLECTED = "collected"


@dataclass(frozen=True)
class Drawing:
    """What an export tells of a drawing."""

    id: str
    kind: str = "correction"
    writer: str = ""
    session: str = ""

    @classmethod
    def from_json(cls, told: Any) -> Self:
        """Read one of the manifest's ``corrections``; older ones tell no kind."""
        return cls(
            str(told["id"]),
            str(told.get("kind") or "correction"),
            str(told.get("writer") or ""),
            str(told.get("session") or ""),
        )


def sides(drawings: Sequence[Drawing]) -> tuple[Side, ...]:
    """Choose each drawing's side.

    >>> sides([Drawing("ab", session="anna", kind="collected"), Drawing("cd")])
    ('learned', 'learned')
    """
    by_writer: dict[str, list[Drawing]] = defaultdict(list)
    for drawing in drawings:
        if drawing.kind == COLLECTED and drawing.session:
            by_writer[drawing.session].append(drawing)
    others = _writers_kept_aside(by_writer)
    aside = {
        drawing.id
        for session, theirs in by_writer.items()
        if session not in others
        for drawing in _drawings_kept_aside(theirs)
    }
    return tuple(
        "others" if drawing.session in others else "same" if drawing.id in aside else "learned"
        for drawing in drawings
    )


def _writers_kept_aside(by_writer: dict[str, list[Drawing]]) -> set[str]:
    if len(by_writer) < EACH_WRITER:
        return set()
    chosen = {session for session in by_writer if _number(session) % EACH_WRITER == 0}
    # The one whose number is least stays aside until somebody comes who belongs there, and is learned from then on.
    chosen = chosen or {min(by_writer, key=_number)}
    return chosen if len(chosen) < len(by_writer) else set()


def _drawings_kept_aside(theirs: Sequence[Drawing]) -> list[Drawing]:
    chosen = [drawing for drawing in theirs if _number(drawing.id) % EACH_DRAWING == 0]
    return chosen if len(chosen) < len(theirs) else []


def _number(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big")
