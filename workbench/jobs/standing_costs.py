"""Costs of standing clusters in a month: how long their machines stood, and for how much of that no job had them.

What was launched, stopped, started and released by this home is a line each of one file. A cluster that ended itself, as
those without a job do, told nobody: it counts until it must have ended.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from workbench.errors import BadInput
from workbench.fields import Fields
from workbench.jobs.costs import Month
from workbench.jobs.values import Job, machine_spans

FILE = "standing.jsonl"
Kind = Literal["launch", "stop", "start", "release"]
KINDS: tuple[Kind, ...] = ("launch", "stop", "start", "release")


@dataclass(frozen=True)
class Change:
    """Something that was done with a standing cluster."""

    t: float
    """Seconds since the epoch."""
    kind: Kind
    name: str
    provider: str
    machines: int = 0
    price_per_hour: float = 0.0
    """Of all its machines together, in US dollars."""


@dataclass(frozen=True)
class StandingCosts:
    """What a standing cluster cost in a month."""

    name: str
    machines: int
    hours: float
    """In which its machines ran."""
    dollars: float
    """For all of them; jobs have their part of it in their own costs."""
    idle: float
    """Share of these hours in which no job had it, 0 to 1."""

    @property
    def idle_dollars(self) -> float:
        """For the hours without a job: what no job's costs have."""
        return self.dollars * self.idle


@dataclass(frozen=True)
class Limits:
    """After which a cluster ends itself."""

    idle_s: float | None
    """Without a job; ``None`` for never."""
    lives_s: float
    """After its machines came up."""


class Ledger:
    """The changes of a home's standing clusters, kept in a file."""

    def __init__(self, home: Path) -> None:
        self._path = home / FILE

    def note(self, change: Change) -> None:
        """Add a change."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(change)) + "\n")

    def read(self) -> list[Change]:
        """All changes in their order; what is no line of ours is left out."""
        try:
            lines = self._path.read_text(encoding="utf-8", errors="replace").splitlines()
        except FileNotFoundError:
            return []
        found = []
        for line in lines:
            try:
                found.append(_parse(json.loads(line)))
            except (ValueError, TypeError, BadInput):
                continue
        return sorted(found, key=lambda change: change.t)


def _parse(told: object) -> Change:
    if not isinstance(told, dict):
        raise ValueError("a change is an object")
    fields = Fields(told, error=BadInput)
    kind = next((one for one in KINDS if one == fields.text("kind")), None)
    if kind is None:
        fields.refuse("kind", f"one of {', '.join(KINDS)}")
    return Change(
        fields.number("t"),
        kind,
        fields.text("name"),
        fields.text("provider"),
        int(fields.number("machines")),
        fields.number("price_per_hour"),
    )


def report(
    changes: Sequence[Change], jobs: Iterable[Job], month: Month, now: float, limits: Limits
) -> list[StandingCosts]:
    """The standing clusters that cost something in that month, the dearest first."""
    busy: dict[tuple[str, str], list[tuple[float, float]]] = {}
    for job in jobs:
        if job.cluster:
            spans = [(begin, end) for _, begin, end in machine_spans(job.changes, now)]
            busy.setdefault((job.cluster, job.provider), []).extend(spans)
    found: dict[tuple[str, str], StandingCosts] = {}
    for launched, begin, end in _stood(changes, busy, now, limits):
        whose = launched.name, launched.provider
        begin, end = max(begin, month.begin), min(end, month.end)
        hours = (end - begin) / 3600
        if hours <= 0 or not launched.price_per_hour:
            continue
        at_work = _covered(busy.get(whose, []), begin, end) / 3600
        dollars = hours * launched.price_per_hour
        before = found.get(whose, StandingCosts(launched.name, 0, 0.0, 0.0, 0.0))
        idle_hours = before.hours * before.idle + hours - at_work
        total = before.hours + hours
        found[whose] = StandingCosts(
            launched.name, launched.machines, total, before.dollars + dollars, idle_hours / total
        )
    return sorted(found.values(), key=lambda one: (-one.dollars, one.name))


def _stood(
    changes: Sequence[Change],
    busy: Mapping[tuple[str, str], list[tuple[float, float]]],
    now: float,
    limits: Limits,
) -> Iterator[tuple[Change, float, float]]:
    """Each launch with a span of time in which its machines ran."""
    launches: dict[tuple[str, str], Change] = {}
    since: dict[tuple[str, str], float] = {}
    for change in [*changes, *(Change(now, "release", *whose) for whose in _all(changes))]:
        whose = change.name, change.provider
        if whose in since and (change.kind != "start"):
            begin = since.pop(whose)
            last = max([begin, *(e for b, e in busy.get(whose, []) if b < change.t and e > begin)])
            most = begin + limits.lives_s
            if limits.idle_s is not None:
                most = min(most, last + limits.idle_s)
            yield launches[whose], begin, min(change.t, most)
        if change.kind == "launch":
            launches[whose] = change
        if change.kind == "release":
            launches.pop(whose, None)
        elif change.kind != "stop" and whose in launches:
            since.setdefault(whose, change.t)


def _all(changes: Sequence[Change]) -> list[tuple[str, str]]:
    return sorted({(change.name, change.provider) for change in changes})


def _covered(spans: Iterable[tuple[float, float]], begin: float, end: float) -> float:
    """Seconds between begin and end that lie in one of the spans.

    >>> _covered([(0, 4), (2, 6), (9, 12)], 1, 10)
    6.0
    """
    total, upto = 0.0, begin
    for first, last in sorted(spans):
        first, last = max(first, upto), min(last, end)
        if last > first:
            total += last - first
            upto = last
    return total
