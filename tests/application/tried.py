"""What was tried of ``failures.py`` and what came of it, kept in a file so that a long run can go on where it ended."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import astuple, dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Point:
    """One call of one step, and how it fails."""

    step: str
    action: str
    """``service:Action``."""
    nth: int
    """From 0: which of the step's calls of that action."""
    kind: str

    def __str__(self) -> str:
        return f"{self.step}: {self.action} number {self.nth + 1} {self.kind}"


@dataclass(frozen=True)
class Tried:
    """What came of a point.

    Attributes
    ----------
    injected
        How many calls failed as they were to; 0: the step did not make that call this time.
    left
        What the step left behind, by kind; a release came afterwards.
    wrong
        What is not as it must be, in words.
    """

    point: Point
    injected: int
    left: Mapping[str, list[str]] = field(default_factory=dict)
    wrong: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = "WRONG" if self.wrong else "holds" if self.injected else "idle "
        left = ", ".join(f"{len(names)} {kind}" for kind, names in sorted(self.left.items()))
        line = f"{what}  {self.point}" + (f"; the step left {left}" if left else "")
        return "\n       ".join([line, *self.wrong])


class Progress:
    """The calls of clean runs and the points that were tried.

    Parameters
    ----------
    path
        A file of JSON lines: read if it is there, added to at once; ``None``: nothing is kept.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.calls: dict[str, list[str]] = {}
        """By step, in order."""
        self.tried: dict[Point, Tried] = {}
        for line in path.read_text().splitlines() if path and path.exists() else ():
            told = json.loads(line)
            if "calls" in told:
                self.calls[told["step"]] = told["calls"]
            else:
                point = Point(*told["point"])
                self.tried[point] = Tried(point, told["injected"], told["left"], tuple(told["wrong"]))

    def note_calls(self, step: str, calls: list[str]) -> None:
        self.calls[step] = calls
        self._add({"step": step, "calls": calls})

    def note(self, tried: Tried) -> None:
        self.tried[tried.point] = tried
        told = {"point": astuple(tried.point), "injected": tried.injected}
        self._add(told | {"left": dict(tried.left), "wrong": tried.wrong})

    def _add(self, told: object) -> None:
        if self.path is not None:
            with self.path.open("a") as stream:
                stream.write(json.dumps(told) + "\n")

    def is_done(self, point: Point) -> bool:
        """Whether the point was tried and all was well; what went wrong is to be tried again."""
        return point in self.tried and not self.tried[point].wrong

    def sum_up(self, every: Iterable[Point]) -> str:
        """The run in figures: ``every`` is what there is to try."""
        every = list(every)
        tried = [self.tried[point] for point in every if point in self.tried]
        calls = ", ".join(
            f"{step} {len(made)} of {len(set(made))} kinds" for step, made in self.calls.items()
        )
        wrong = sum(bool(one.wrong) for one in tried)
        idle = sum(not one.injected and not one.wrong for one in tried)
        return (
            f"calls of clean runs: {sum(map(len, self.calls.values()))} ({calls})\n"
            f"failures listed: {len(every)}; tried: {len(tried)} ({sum(one.injected for one in tried)} calls failed); "
            f"held: {len(tried) - wrong - idle}; wrong: {wrong}; call not made that time: {idle}; "
            f"not tried: {len(every) - len(tried)}"
        )
