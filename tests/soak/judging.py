"""Whether what was promised held: from notes to findings, nothing is asked of the workbench here."""

import statistics
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any

from tests.soak.notes import Answer, Change, Hit, Sample

LIMIT_S = 35.0
"""Apache gives up a back end after 30 s; a moment for the way."""
AFTERMATH_S = 30.0
"""After a blow, until what was hit answers again; others use this computer too."""
ON_THE_WAY = {"gunicorn", "backend worker", "apache", "full disk"}
"""Whose end a visitor may notice."""
ENDED = ("completed", "failed", "terminated")
NO_SPACE = (
    "no space left",
    "disk is full",
    "disk full",
    "cannot be written",
    "not be written",
    "disk i/o error",
)
AGAIN = ("came no step further", "started again")
GROWTH, SLACK_MB, SLACK_FILES = 0.2, 12.0, 12


def versions_that_may_answer(
    first: int, changes: Sequence[Change], every: Collection[int], began: float, ended: float
) -> set[int]:
    """The versions that could be active at any moment of the time from ``began`` to ``ended``."""
    now, could = {first}, set()
    for change in sorted(changes, key=lambda change: change.began):
        if change.began > ended:
            break
        if began < change.began:
            could |= now  # answered before it, or while it was under way
        new = set(every) if change.version is None else {change.version}
        if began <= change.ended:
            could |= now | new
        now = new if change.done else now | new
    return could | now


def judge_answers(
    answers: Sequence[Answer],
    digits: Mapping[int, int],
    first: int,
    changes: Sequence[Change],
    hits: Sequence[Hit],
) -> list[str]:
    """Wrong digits, answers that came too late, and failures without a cause. ``digits``: version → its answer."""
    found = []
    blows = [(hit.t, (hit.ended or hit.t) + AFTERMATH_S) for hit in hits if hit.kind in ON_THE_WAY]
    for answer in answers:
        took = answer.ended - answer.began
        if took > LIMIT_S:
            found.append(f"a drawing was kept waiting for {took:.1f} s: {answer.status} {answer.said}")
        if answer.status == 200:
            may = versions_that_may_answer(first, changes, digits, answer.began, answer.ended)
            right = {str(digits[v]) for v in may if answer.version in (None, v)}
            if answer.digit not in right:
                found.append(
                    f"a wrong digit: {answer.digit!r} by version {answer.version}, while {sorted(may)} could answer"
                )
        elif 400 <= answer.status < 500:
            found.append(f"a good drawing was refused: {answer.status} {answer.said}")
        elif not any(t <= answer.ended and answer.began <= until for t, until in blows):
            found.append(f"a drawing failed though nothing was hit: {answer.status} {answer.said}")
    return found


def judge_jobs(
    jobs: Mapping[int, Mapping[str, Any]],
    submitted: Collection[int],
    asked_to_end: Collection[int],
    loads: Mapping[int, str],
    hits: Sequence[Hit],
) -> list[str]:
    """Jobs that are lost, have not ended, or whose end is not what happened. ``loads``: completed job → why not, or ''."""
    found = [f"job {id} is lost" for id in sorted(set(submitted) - set(jobs))]
    kills = Counter(hit.kind for hit in hits)
    for id, job in jobs.items():
        error = (job.get("error") or {}).get("message", "")
        match job["state"]:
            case "completed":
                if why := loads.get(id, "nobody tried it"):
                    found.append(
                        f"job {id} is completed, but its version {job['version']} does not load: {why}"
                    )
            case "terminated":
                if id not in asked_to_end:
                    found.append(f"job {id} is terminated, which nobody asked for")
            case "failed":
                if not _is_true(error, kills):
                    found.append(f"job {id} failed for a reason that is none: {error!r}")
            case state:
                found.append(f"job {id} has not ended: {state}")
    return found


def _is_true(error: str, kills: Mapping[str, int]) -> bool:
    words = error.lower()
    if any(said in words for said in NO_SPACE):
        return kills["full disk"] > 0
    if any(said in words for said in AGAIN):
        return sum(kills[role] for role in ("chief", "ps", "worker")) >= 3
    return False


def judge_corrections(acknowledged: Collection[str], kept: Sequence[str]) -> list[str]:
    """Corrections that were acknowledged and are not there, or are there twice."""
    times = Counter(kept)
    lost = [
        f"correction {id[:12]} was acknowledged and is lost" for id in sorted(set(acknowledged) - set(times))
    ]
    return lost + [f"correction {id[:12]} is there {n} times" for id, n in times.items() if n > 1]


def growth(samples: Sequence[Sample]) -> dict[str, dict[str, float]]:
    """By kind the medians of the first and the last third, and the slope between their middles (per minute)."""
    found = {}
    for kind in sorted({sample.kind for sample in samples}):
        mine = sorted((s for s in samples if s.kind == kind), key=lambda s: s.t)
        third = len(mine) // 3
        if third < 2:
            continue
        first, last = mine[:third], mine[-third:]
        minutes = (statistics.median(s.t for s in last) - statistics.median(s.t for s in first)) / 60
        row = {"samples": float(len(mine))}
        for name in ("pss_mb", "files"):
            a, b = (statistics.median(getattr(s, name) for s in part) for part in (first, last))
            row |= {
                f"{name}_first": a,
                f"{name}_last": b,
                f"{name}_a_minute": (b - a) / minutes if minutes else 0.0,
            }
        found[kind] = row
    return found


def judge_growth(grown: Mapping[str, Mapping[str, float]]) -> list[str]:
    """What is not flat: above the first third's median by a fifth and the slack of small numbers."""
    found = []
    for kind, row in grown.items():
        for name, slack, unit in (("pss_mb", SLACK_MB, "MB"), ("files", SLACK_FILES, "open files")):
            first, last = row[f"{name}_first"], row[f"{name}_last"]
            if last > first * (1 + GROWTH) + slack:
                found.append(f"{kind} grew from {first:.0f} to {last:.0f} {unit}")
    return found


def outages(answers: Sequence[Answer], apart_s: float = 1.0) -> list[tuple[float, int]]:
    """Seconds and failed requests of each time without a good answer, from the first failure to the next good one."""
    found: list[tuple[float, int]] = []
    began, failed = None, 0
    for answer in sorted(answers, key=lambda answer: answer.ended):
        if answer.status == 200:
            if began is not None:
                found.append((answer.ended - began, failed))
            began, failed = None, 0
        else:
            began, failed = answer.began if began is None else began, failed + 1
    if began is not None:
        found.append((max(answer.ended for answer in answers) - began, failed))
    return found


def silences(answers: Sequence[Answer]) -> float:
    """The longest time between two good answers, s."""
    good = sorted(answer.ended for answer in answers if answer.status == 200)
    return max((b - a for a, b in pairwise(good)), default=0.0)
