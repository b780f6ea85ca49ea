"""Failure at every step: ``python -m tests.application.failures [--progress FILE] [--share 1/2] [--step STEP] …``.

A clean run of each step records which calls it makes to AWS. Then, for each of them, the step runs again while that
call fails in one of several ways. What was said must name the true reason, and nothing of ours may be left: the account
is then as it was before, and serves for the next failure, or it is empty after one more ``release`` (and ``audit``,
where that failed). With ``--progress`` it goes on where it was ended, and tries again what went wrong.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

from tests.application.accounts import BEFORE, Accounts, NotWell, do
from tests.application.steps import Outcome, User
from tests.application.tried import Point, Progress, Tried
from tests.emulator import Emulator, Fault
from workbench.settings import PROJECT

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
TRIES = 3
"""To meet a call of which there are now more, now fewer."""


def who_of(step: str) -> str:
    """Whose calls fail."""
    return "machines" if step == "machines" else "caller"


def make_fault(point: Point) -> Fault:
    """How the emulator is to let it fail."""
    action, who = point.action, who_of(point.step)
    if point.kind == "denied":
        # To machines it happens for a moment, while AWS spreads the news of their rights.
        return Fault.denied(action, 3 if who == "machines" else None, skip=point.nth, who=who)
    if point.kind == "throttled":
        # A runner outlasts what passes, so for a job it does; else a command would wait as long as this test.
        passes = point.step in ("job", "machines")
        return Fault.throttled(action, 6 if passes else None, skip=point.nth, who=who)
    if point.kind == "cut":
        return Fault(action, skip=point.nth, cut=True, after_effect=True, who=who)
    if point.kind == "kill":
        return Fault(action, skip=point.nth, kill=True, who=who)
    return CAPACITY if action == "ec2:RunInstances" else NO_CAPACITY_IN_STACK


def record(accounts: Accounts, steps: Iterable[str], progress: Progress) -> None:
    """Note the calls of a clean run of those steps of which they are not known."""
    wanted = [step for step in steps if step not in progress.calls]
    user, done = accounts.new(), set[str]()
    for step in BEFORE:
        if step in wanted or any(step in BEFORE[later] for later in wanted):
            for before in BEFORE[step]:
                if before not in done:
                    do(user, before)
            if not (step == "machines" and "job" in done):  # the same, seen from the other side
                accounts.emulator.forget_calls()
                do(user, step)
            done |= {step, *BEFORE[step]}
            if step in wanted:
                progress.note_calls(step, accounts.emulator.calls_in_order(who_of(step)))
    accounts.drop()


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


def attempt(accounts: Accounts, point: Point) -> Tried:
    """Let the step fail there; gives what came of it.

    How often a step asks whether something is ready differs from run to run: where the last such call was not made
    this time, the last one that was made is tried.
    """
    now = point
    for _ in range(TRIES):
        try:
            tried, made = _once(accounts, now)
        except NotWell as error:
            return Tried(point, 0, wrong=(str(error),))
        if tried.injected or tried.wrong or not made:
            break
        now = replace(now, nth=made - 1)
    return replace(tried, point=point)


def _once(accounts: Accounts, point: Point) -> tuple[Tried, int]:
    """What came of it, and how often the step made such calls."""
    emulator, user = accounts.emulator, accounts.before(point.step)
    emulator.forget_calls()
    emulator.faults([make_fault(point)])
    outcome: Outcome = getattr(user, point.step)()
    emulator.faults()
    made = [
        call for call in emulator.log(who_of(point.step)) if f"{call.service}:{call.action}" == point.action
    ]
    wrong = judge(point, outcome)
    left: dict[str, list[str]] = {}
    # A job that was killed is taken up by the next one.
    if wrong or outcome.code < 0 or not accounts.is_as_before(point.step):
        left = user.left()
        wrong += _clean_up(point, user)
        accounts.drop()
    if complaints := emulator.complaints():
        wrong += [f"the emulator: {words}" for words in complaints]
        accounts.drop()
    return Tried(point, _injected(point, [call.error for call in made]), left, tuple(wrong)), len(made)


def _clean_up(point: Point, user: User) -> list[str]:
    """What is not well once audit and release came after the step."""
    wrong = []
    if user.left():
        if point.step == "audit" and (again := user.audit()).code != 0:
            wrong.append(f"another audit fails ({again.code}): {again.said[-600:]}")
        released = user.release()
        if released.code != 0:
            wrong.append(f"release afterwards fails ({released.code}): {released.said[-600:]}")
        if still := user.left():
            wrong.append(f"left after release: {still}")
    return wrong


def _injected(point: Point, errors: list[str]) -> int:
    """How many calls failed on purpose; ``errors`` has one for each call, empty where it went well."""
    fault = make_fault(point)
    if fault.action.startswith("stack:"):  # hits what CloudFormation does after the call
        return min(1, len(errors))
    said = "kill" if fault.kill else "cut" if fault.cut else fault.code
    return sum(said in error for error in errors)


def judge(point: Point, outcome: Outcome) -> list[str]:
    """Whether what was said is true."""
    if outcome.code == -999:
        return [f"it hangs: {outcome.said[-600:]}"]
    if "Traceback" in outcome.said:
        return [f"a traceback: {outcome.said[-900:]}"]
    if point.step == "machines" and outcome.code != 0:
        return [f"the job does not outlast it ({outcome.code}): {outcome.said[-600:]}"]
    if outcome.code == 0:
        return []  # the call could be done without, or was tried again
    if point.kind == "kill":
        if outcome.code == -9:
            return []
        return [f"it was to be killed and ended with {outcome.code}: {outcome.said[-300:]}"]
    if point.kind == "denied":
        words: tuple[str, ...] = (
            point.action,
            point.action.split(":")[1],
            "lack the permission",
            "these credentials lack",
        )
    else:
        words = SAID[point.kind]
    if not any(word in outcome.said for word in words):
        return [f"the reason is not told ({outcome.code}): {outcome.said[-600:]}"]
    return []


def run(
    accounts: Accounts,
    steps: Iterable[str],
    choose: Callable[[list[Point]], list[Point]],
    seconds: float,
    progress: Progress,
) -> list[Point]:
    """Record, try what is chosen, tell each, and note all in ``progress``; gives every point that there is."""
    give_up = time.monotonic() + seconds
    steps = list(steps)
    record(accounts, steps, progress)
    every = [point for step in steps for point in points(step, progress.calls[step])]
    for number, point in enumerate(choose(every)):
        if number and time.monotonic() > give_up:
            break
        tried = attempt(accounts, point)
        progress.note(tried)
        print(tried, file=sys.stderr, flush=True)
    accounts.end()
    return every


def read_share(text: str) -> tuple[int, int]:
    """``1/2``: the first of two."""
    number, _, of = text.partition("/")
    if not (number.isdigit() and of.isdigit() and 1 <= int(number) <= int(of)):
        raise argparse.ArgumentTypeError(f"a share is like 1/2 or 2/2. Received: {text!r}")
    return int(number), int(of)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.application.failures", description=__doc__)
    parser.add_argument("--seed", type=int, help="try in the order of this seed")
    parser.add_argument("--seconds", type=float, default=1e9, help="begin no more after so many seconds")
    parser.add_argument(
        "--share", type=read_share, default=(1, 1), help="1/2: every second failure, from the first"
    )
    parser.add_argument(
        "--progress", type=Path, help="a file that keeps what was tried; given again, it goes on"
    )
    parser.add_argument(
        "--step", action="append", choices=list(BEFORE), help="only this one (again for more)"
    )
    asked = parser.parse_args(arguments)
    progress = Progress(asked.progress)
    number, of = asked.share

    def choose(every: list[Point]) -> list[Point]:
        order = every if asked.seed is None else random.Random(asked.seed).sample(every, len(every))
        return [point for point in order[number - 1 :: of] if not progress.is_done(point)]

    below = PROJECT / "build"
    below.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=below) as folder,
        Emulator(Path(folder) / "emulator", "proc", minute_s=1) as emulator,
    ):
        every = run(
            Accounts(emulator, Path(folder)), asked.step or list(BEFORE), choose, asked.seconds, progress
        )
    print(progress.sum_up(every))
    return 1 if any(progress.tried[point].wrong for point in every if point in progress.tried) else 0


if __name__ == "__main__":
    sys.exit(main())
