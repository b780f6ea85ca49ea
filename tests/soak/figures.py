"""A run's figures: as JSON, and as the table that is printed."""

import statistics
from collections import Counter
from typing import Any

from tests.soak import judging
from tests.soak.notes import Notes
from tests.soak.settling import End


def collect(notes: Notes, end: End, seconds: float, seed: int, skipped: tuple[str, ...]) -> dict[str, Any]:
    """Every figure of the run; times in s, latencies in ms, memory in MB (PSS)."""
    good = [a.ended - a.began for a in notes.answers if a.status == 200]
    out = judging.outages(notes.answers)
    hits = Counter(hit.kind for hit in notes.hits)
    return {
        "seconds": seconds,
        "seed": seed,
        "skipped": list(skipped),
        "drawings": {
            "sent": len(notes.answers),
            "answered": len(good),
            "failed": dict(Counter(str(a.status) for a in notes.answers if a.status != 200)),
            "outages": len(out),
            "longest_outage_s": round(max((s for s, _ in out), default=0.0), 2),
            "down_s": round(sum(s for s, _ in out), 2),
            "longest_silence_s": round(judging.silences(notes.answers), 2),
            "p50_ms": _percentile_ms(good, 50),
            "p99_ms": _percentile_ms(good, 99),
            "slowest_ms": round(1e3 * max(good, default=0.0), 1),
        },
        "versions": {
            "asked": len(notes.changes),
            "switched": sum(change.done for change in notes.changes),
            "answered": len({a.version for a in notes.answers if a.version}),
        },
        "hits": dict(sorted(hits.items())),
        "restarts": {row["name"]: row["restarts"] for row in end.services}
        | {"machines": end.machine_restarts, "runners that took up machines": end.runner_restarts},
        "jobs": {"submitted": len(notes.submitted), "asked to end": len(notes.asked_to_end)}
        | dict(Counter(job["state"] for job in end.jobs.values())),
        "failures": {
            id: job["error"]["message"]
            for id, job in end.jobs.items()
            if job["state"] == "failed" and job["error"]
        },
        "corrections": {
            "acknowledged": len(set(notes.acknowledged)),
            "found": len(set(end.corrections) & set(notes.acknowledged)),
            "kept in all": len(end.corrections),
            "not acknowledged": notes.not_taken,
        },
        "refused commands": dict(Counter(words[:160] for words in notes.refused)),
        "settled_s": round(end.settled_s, 1),
        "growth": judging.growth(notes.samples),
    }


def table(figures: dict[str, Any], findings: list[str]) -> str:
    """The figures as aligned text, and the verdict."""
    lines = [f"{figures['seconds']:.0f} s, seed {figures['seed']}"]
    lines += [f"skipped: {reason}" for reason in figures["skipped"]]
    for part in ("drawings", "versions", "hits", "restarts", "jobs", "corrections"):
        lines += ["", part]
        lines += [f"  {name.replace('_', ' '):<32} {_show(value)}" for name, value in figures[part].items()]
    for part in ("failures", "refused commands"):
        if figures[part]:
            lines += ["", part, *(f"  {key}: {value}" for key, value in figures[part].items())]
    lines += ["", f"settled after {figures['settled_s']} s", ""]
    lines.append(
        f"{'memory and files, first third → last':<36}{'MB':>16}{'a minute':>10}{'files':>14}{'a minute':>10}"
    )
    for kind, row in figures["growth"].items():
        memory = f"{row['pss_mb_first']:.1f} → {row['pss_mb_last']:.1f}"
        files = f"{row['files_first']:.0f} → {row['files_last']:.0f}"
        lines.append(
            f"  {kind:<34}{memory:>16}{row['pss_mb_a_minute']:>+10.2f}{files:>14}{row['files_a_minute']:>+10.2f}"
        )
    lines += ["", *(f"NOT AS PROMISED: {finding}" for finding in findings)]
    if not findings:
        lines.append("everything held")
    return "\n".join(lines)


def _show(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{count} × {name}" for name, count in value.items()) or "0"
    return f"{value}"


def _percentile_ms(values: list[float], percent: int) -> float:
    if len(values) < 2:
        return 0.0
    return round(1e3 * statistics.quantiles(values, n=100, method="inclusive")[percent - 1], 1)
