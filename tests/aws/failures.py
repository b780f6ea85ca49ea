"""Failure at every step: ``python -m tests.aws.failures [--seed N] [--seconds S] [--step STEP]``.

A clean run of each step records which calls it makes to AWS. Then, for each of them, the step runs again in a new
account while that call fails in one of several ways. Afterwards, or after one more ``release``, nothing of ours may be
left, and what was said must name the true reason.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests.aws.steps import Outcome, User
from tests.emulator import Emulator, Fault
from workbench.settings import PROJECT

BEFORE: dict[str, tuple[str, ...]] = {
    "launch": (),
    "cluster": ("launch",),
    "job": ("launch",),
    "release": ("launch", "cluster"),
}
KINDS = ("denied", "throttled", "cut", "kill")
CAPACITY = Fault("RunInstances", "InsufficientInstanceCapacity", "We have no such capacity", 500, times=None)
NO_CAPACITY_IN_STACK = Fault(
    "stack:create AWS::EC2::Instance", "InsufficientInstanceCapacity", "We have no such capacity", times=None
)
SAID = {
    "throttled": ("fewer requests", "RequestLimitExceeded", "SlowDown", "Throttling", "Rate exceeded"),
    "capacity": ("capacity", "no such machine free"),
    "cut": ("does not answer", "closed before", "Connection"),
}
"""Words of which one must be said, by the kind of failure."""


@dataclass(frozen=True)
class Point:
    """One call of one step, and how it fails."""

    step: str
    action: str
    """``service:Action``."""
    nth: int
    """From 0: which of the step's calls of that action."""
    kind: str

    def fault(self) -> Fault:
        if self.kind == "denied":
            return Fault.denied(self.action, skip=self.nth)
        if self.kind == "throttled":
            # A runner outlasts what passes, so for a job it does; else a command would wait as long as this test.
            return Fault.throttled(self.action, 6 if self.step == "job" else None, skip=self.nth)
        if self.kind == "cut":
            return Fault(self.action, skip=self.nth, cut=True, after_effect=True)
        if self.kind == "kill":
            return Fault(self.action, skip=self.nth, kill=True)
        return CAPACITY if self.action == "ec2:RunInstances" else NO_CAPACITY_IN_STACK

    def __str__(self) -> str:
        return f"{self.step}: {self.action} number {self.nth + 1} {self.kind}"


def new_user(emulator: Emulator, folder: Path) -> User:
    """A new account and an empty home."""
    emulator.reset()
    user = User(emulator, Path(tempfile.mkdtemp(dir=folder)))
    user.prepare()
    return user


def record(emulator: Emulator, folder: Path, steps: Iterable[str]) -> dict[str, list[str]]:
    """The calls of a clean run, in order, by step."""
    wanted = list(steps)
    user = new_user(emulator, folder)
    found: dict[str, list[str]] = {}
    for step in BEFORE:
        if step in wanted or any(step in BEFORE[later] for later in wanted):
            emulator.forget_calls()
            _well(getattr(user, step)(), step)
            found[step] = emulator.calls_in_order()
    return {step: calls for step, calls in found.items() if step in wanted}


def _well(outcome: Outcome, step: str) -> None:
    if outcome.code != 0:
        raise AssertionError(f"{step} fails without any fault ({outcome.code}): {outcome.said[-1500:]}")


def points(step: str, calls: Iterable[str]) -> list[Point]:
    """What to try: each call the first and the last time it is made, in every way."""
    found = []
    for action, count in Counter(calls).items():
        for nth in sorted({0, count - 1}):
            found += [Point(step, action, nth, kind) for kind in KINDS]
    if step == "launch":
        found.append(Point(step, "cloudformation:CreateStack", 0, "capacity"))
    if step in ("cluster", "job"):
        found.append(Point(step, "ec2:RunInstances", 0, "capacity"))
    return found


def attempt(emulator: Emulator, folder: Path, point: Point) -> list[str]:
    """Let the step fail there; gives what is wrong afterwards, nothing if all is well."""
    user = new_user(emulator, folder)
    for before in BEFORE[point.step]:
        _well(getattr(user, before)(), before)
    emulator.forget_calls()
    emulator.faults([point.fault()])
    outcome: Outcome = getattr(user, point.step)()
    emulator.faults()
    wrong = judge(point, outcome)
    if user.left():
        released = user.release()
        if released.code != 0:
            wrong.append(f"release afterwards fails ({released.code}): {released.said[-600:]}")
        if left := user.left():
            wrong.append(f"left after release: {left}")
    wrong += [f"the emulator: {words}" for words in emulator.complaints()]
    return wrong


def judge(point: Point, outcome: Outcome) -> list[str]:
    """Whether what was said is true."""
    if outcome.code == -999:
        return [f"it hangs: {outcome.said[-600:]}"]
    if "Traceback" in outcome.said:
        return [f"a traceback: {outcome.said[-900:]}"]
    if outcome.code == 0:
        return []  # the call could be done without, or was tried again
    if point.kind == "kill":
        return (
            []
            if outcome.code == -9
            else [f"it was to be killed and ended with {outcome.code}: {outcome.said[-300:]}"]
        )
    if point.kind == "denied":
        words: tuple[str, ...] = (point.action, point.action.split(":")[1], "lack the permission")
    else:
        words = SAID[point.kind]
    if not any(word in outcome.said for word in words):
        return [f"the reason is not told ({outcome.code}): {outcome.said[-600:]}"]
    return []


def run(
    emulator: Emulator,
    folder: Path,
    steps: Iterable[str],
    choose: Callable[[list[Point]], list[Point]],
    seconds: float,
) -> dict[str, object]:
    """Record, try, and tell: ``{"calls": {step: n}, "failures": n, "of": n, "wrong": {point: [...]}}``."""
    give_up = time.monotonic() + seconds
    recorded = record(emulator, folder, steps)
    calls = {step: len(made) for step, made in recorded.items()}
    every: list[Point] = []
    for step, made in recorded.items():
        every += points(step, made)
        print(f"{step}: {len(made)} calls of {len(set(made))} kinds", file=sys.stderr, flush=True)
    wrong: dict[str, list[str]] = {}
    tried = 0
    for point in choose(every):
        if tried and time.monotonic() > give_up:
            break
        tried += 1
        found = attempt(emulator, folder, point)
        print(f"{'WRONG' if found else 'well '}  {point}", file=sys.stderr, flush=True)
        if found:
            wrong[str(point)] = found
            print("       " + "\n       ".join(found), file=sys.stderr, flush=True)
    return {"calls": calls, "failures": tried, "of": len(every), "wrong": wrong}


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.aws.failures", description=__doc__)
    parser.add_argument("--seed", type=int, help="try in the order of this seed")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no more after so many seconds")
    parser.add_argument(
        "--step", action="append", choices=list(BEFORE), help="only this one (again for more)"
    )
    asked = parser.parse_args(arguments)

    def choose(every: list[Point]) -> list[Point]:
        return every if asked.seed is None else random.Random(asked.seed).sample(every, len(every))

    below = PROJECT / "build"
    below.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=below) as folder,
        Emulator(Path(folder) / "emulator", "proc", minute_s=1) as emulator,
    ):
        told = run(emulator, Path(folder), asked.step or list(BEFORE), choose, asked.seconds)
    print(
        f"calls: {told['calls']}; failures tried: {told['failures']} of {told['of']}; wrong: {len(told['wrong'])}"
    )  # type: ignore[arg-type]
    return 1 if told["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
