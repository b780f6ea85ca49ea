"""What machines report: ``events.jsonl``, one JSON object a line, written by a node and replayed by the runner.

A line may be cut, when its machine was killed or its disk was full, and the file may be read again from any
offset: who takes events in must not mind seeing one twice.

``values`` are the events, ``lines`` writes and reads them, ``writer`` is what a machine holds.
"""

from workbench.events.lines import MAX_READ, dump, parse, read
from workbench.events.values import (
    MAX_TEXT,
    MAX_TRACEBACK,
    PHASES,
    Error,
    Event,
    Log,
    Metric,
    Phase,
    Progress,
    clean,
)
from workbench.events.writer import MAX_KEPT, METRIC_EVERY_S, Writer

__all__ = [
    "MAX_KEPT",
    "MAX_READ",
    "MAX_TEXT",
    "MAX_TRACEBACK",
    "METRIC_EVERY_S",
    "PHASES",
    "Error",
    "Event",
    "Log",
    "Metric",
    "Phase",
    "Progress",
    "Writer",
    "clean",
    "dump",
    "parse",
    "read",
]
