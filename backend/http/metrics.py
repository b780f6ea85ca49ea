"""Counters that all workers of one gunicorn share, written for Prometheus.

One anonymous memory map is made before the workers are forked. Each worker writes only to its own part of it, and
whoever is asked for ``/metrics`` adds all parts up. A worker that dies leaves its part to its successor, so that no
count ever goes back. This needs no file, no clean-up and no further package (the Prometheus client's way for many
processes is a directory of files, 9 MB a worker and 0.15 s at the start).
"""

import mmap
import struct
import threading
from bisect import bisect_left
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Literal

PARTS = 16
"""Workers at once, at most."""
PART_BYTES = 256 * 1024
"""Room for some 2,000 series; only touched pages take memory."""
BUCKETS_S = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

Labels = tuple[tuple[str, str], ...]
Kind = Literal["counter", "gauge", "histogram"]
Described = Mapping[str, tuple[Kind, str]]

DESCRIBED: Described = {
    "workbench_requests_total": ("counter", "Requests by route, method and status."),
    "workbench_request_seconds": ("histogram", "Time from a request's arrival to its answer."),
    "workbench_predict_stage_seconds": ("histogram", "Time a drawing spends in each stage."),
    "workbench_predictions_total": (
        "counter",
        "Answers by model, version and class; 'nothing drawn' is one.",
    ),
    "workbench_comparisons_lost_total": (
        "counter",
        "A canary's drawings of which no record could be written.",
    ),
    "workbench_queue_seconds": ("histogram", "Time a request waited for a thread."),
    "workbench_tensors_total": (
        "counter",
        "Inputs answered by TensorFlow Serving's API, by model and version.",
    ),
    "workbench_served_total": ("counter", "Answers of /serve, by own models and untrusted ones."),
    "workbench_model_info": ("gauge", "The versions that serve."),
    "workbench_model_servers": ("gauge", "Processes that hold untrusted models."),
    "workbench_ready": ("gauge", "1 if a model answers."),
}
"""Kind of each series of the back end, and the sentence about it."""


class Metrics:
    """Counters and histograms; ``add`` and ``observe`` cost about a microsecond.

    A part is a count of entries' bytes and then the entries: a value (double), the length of a key, and the key,
    ``name{label="value"}``, padded to 8 bytes. The count is written last, so that a reader sees whole entries only.
    """

    def __init__(self) -> None:
        self._map = mmap.mmap(-1, PARTS * PART_BYTES)
        self._lock = threading.Lock()
        self.use_part(0)

    def use_part(self, part: int) -> None:
        """Write to this part from now on, where its last owner stopped."""
        self._start: int = part % PARTS * PART_BYTES
        self._where = {key: at for at, key, _ in self._entries(self._start)}

    def add(self, name: str, labels: Labels = (), amount: float = 1.0) -> None:
        """Count up. Label values must come from a small known set, never from a request."""
        self._add(_key(name, labels), amount)

    def observe(self, name: str, seconds: float, labels: Labels = ()) -> None:
        """Count a duration into a histogram of :data:`BUCKETS_S`."""
        total, buckets = _histogram_keys(name, labels)
        self._add(buckets[bisect_left(BUCKETS_S, seconds)], 1)
        self._add(total, seconds)

    def _add(self, key: str, amount: float) -> None:
        with self._lock:
            at = self._where.get(key) or self._append(key)
            if at:
                (value,) = struct.unpack_from("d", self._map, at)
                struct.pack_into("d", self._map, at, value + amount)

    def _append(self, key: str) -> int:
        """Room for a new key; 0 when the part is full, which only labels from requests could bring about."""
        raw = key.encode()
        used: int = struct.unpack_from("Q", self._map, self._start)[0]
        at = self._start + 8 + used
        size = 16 + -(-len(raw) // 8) * 8
        if 8 + used + size > PART_BYTES:
            return 0
        struct.pack_into("dQ", self._map, at, 0.0, len(raw))
        self._map[at + 16 : at + 16 + len(raw)] = raw
        struct.pack_into("Q", self._map, self._start, used + size)
        self._where[key] = at
        return at

    def _entries(self, start: int) -> Iterable[tuple[int, str, float]]:
        (used,) = struct.unpack_from("Q", self._map, start)
        at, end = start + 8, start + 8 + used
        while at < end:
            value, length = struct.unpack_from("dQ", self._map, at)
            yield at, self._map[at + 16 : at + 16 + length].decode(), value
            at += 16 + -(-length // 8) * 8

    def totals(self) -> dict[str, float]:
        """``{name{label="value"}: value}`` over all parts; buckets not yet added up."""
        totals: dict[str, float] = {}
        for part in range(PARTS):
            for _, key, value in self._entries(part * PART_BYTES):
                totals[key] = totals.get(key, 0.0) + value
        return totals

    def render(self, described: Described, gauges: Iterable[tuple[str, Labels, float]]) -> str:
        """Write Prometheus' text format of the series that are described; others are not shown."""
        totals = self.totals()
        for name, labels, value in gauges:
            totals[_key(name, labels)] = value
        lines = []
        for name, (kind, description) in described.items():
            lines += [f"# HELP {name} {description}", f"# TYPE {name} {kind}"]
            if kind == "histogram":
                lines += _histogram(name, totals)
            else:
                mine = (key for key in totals if key.partition("{")[0] == name)
                lines += [f"{key} {_number(totals[key])}" for key in sorted(mine)]
        return "\n".join(lines) + "\n"


@lru_cache(maxsize=4096)
def _key(name: str, labels: Labels) -> str:
    if not labels:
        return name
    return name + "{" + ",".join(f'{label}="{_escaped(value)}"' for label, value in labels) + "}"


@lru_cache(maxsize=1024)
def _histogram_keys(name: str, labels: Labels) -> tuple[str, tuple[str, ...]]:
    """The key of a histogram's sum, and those of its buckets."""
    limits = (*(f"{limit:g}" for limit in BUCKETS_S), "+Inf")
    return _key(f"{name}_sum", labels), tuple(
        _key(f"{name}_bucket", (*labels, ("le", limit))) for limit in limits
    )


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")


def _histogram(name: str, totals: dict[str, float]) -> list[str]:
    lines = []
    for key in sorted(key for key in totals if key.partition("{")[0] == f"{name}_sum"):
        labels = key.removeprefix(f"{name}_sum").strip("{}")
        before, count = labels and labels + ",", 0.0
        for limit in (*(f"{s:g}" for s in BUCKETS_S), "+Inf"):
            bucket = f'{name}_bucket{{{before}le="{limit}"}}'
            count += totals.get(bucket, 0.0)
            lines.append(f"{bucket} {_number(count)}")
        shown = labels and "{" + labels + "}"
        lines += [f"{name}_sum{shown} {totals[key]:.9g}", f"{name}_count{shown} {_number(count)}"]
    return lines


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
