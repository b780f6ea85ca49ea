"""Rows of results, and the machine that they are of."""

import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One figure of ours beside the peer's; smaller is better, unless ``more`` is."""

    name: str
    """``section: what``."""
    value: float
    unit: str
    peer: float | None = None
    goal: float | None = None
    more: bool = False
    note: str = ""
    """How far the figures spread, or why there is none of the peer."""

    @property
    def ratio(self) -> float | None:
        """How many times better ours is."""
        if not (self.peer and self.value):
            return None
        return self.value / self.peer if self.more else self.peer / self.value

    @property
    def reached(self) -> bool | None:
        if self.goal is None:
            return None
        return self.value >= self.goal if self.more else self.value <= self.goal

    def as_json(self) -> dict[str, object]:
        fields, ratio = asdict(self), self.ratio
        del fields["more"]
        if not self.note:
            del fields["note"]
        return {**fields, "ratio": ratio and round(ratio, 2), "reached": self.reached}


def table(rows: Sequence[Row]) -> str:
    """The rows as aligned text."""
    cells = [["", "ours", "peer", "times", "goal", "reached", ""]]
    for row in rows:
        cells.append(
            [
                row.name,
                f"{row.value:.3g} {row.unit}",
                "" if row.peer is None else f"{row.peer:.3g} {row.unit}",
                "" if row.ratio is None else f"{row.ratio:.1f}×",
                "" if row.goal is None else f"{'≥' if row.more else '≤'} {row.goal:g}",
                {None: "", True: "yes", False: "NO"}[row.reached],
                row.note,
            ]
        )
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    words = 0, len(widths) - 1
    aligned = [
        "  ".join(
            c.ljust(w) if i in words else c.rjust(w)
            for i, (c, w) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
    return "\n".join(aligned)


def describe_machine() -> str:
    """Processor, cores, system and Python, without the machine's name."""
    model = platform.machine()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        model = next(line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    return f"{model}, {os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
