"""A part of ``python -m tests.application.failures``, in an order that ``FAILURES_SEED`` draws."""

import os
import random
from pathlib import Path

from tests.application import failures
from tests.application.accounts import BEFORE, Accounts
from tests.application.tried import Point, Progress, Tried
from tests.emulator import Emulator

SECONDS = 40.0
"""After which no other failure is begun; one takes seconds."""
SEED = int(os.environ.get("FAILURES_SEED", "5"))


def test_a_call_that_fails_leaves_nothing_behind_and_its_reason_is_told(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    def choose(every: list[Point]) -> list[Point]:
        return random.Random(SEED).sample(every, len(every))

    progress = Progress()
    every = failures.run(Accounts(proc_emulator, tmp_path), BEFORE, choose, SECONDS, progress)
    print(f"seed {SEED}\n{progress.sum_up(every)}")
    assert [str(tried) for tried in progress.tried.values() if tried.wrong] == []


def test_a_long_run_goes_on_where_it_was_ended_and_tries_again_what_went_wrong(tmp_path: Path) -> None:
    held = Tried(Point("launch", "ec2:DescribeSubnets", 0, "cut"), 1, {"stack": ["workbench"]})
    wrong = Tried(
        Point("job", "s3:PutObject", 3, "kill"), 1, wrong=("left after release: {'volume': ['v-1']}",)
    )
    idle = Tried(Point("job", "s3:GetObject", 9, "denied"), 0)
    never = Point("release", "s3:ListObjectsV2", 0, "throttled")
    first = Progress(tmp_path / "tried")
    first.note_calls("launch", ["ec2:DescribeSubnets", "ec2:DescribeSubnets"])
    for one in (held, wrong, idle):
        first.note(one)

    later = Progress(tmp_path / "tried")
    points = [held.point, wrong.point, idle.point, never]
    assert [point for point in points if not later.is_done(point)] == [wrong.point, never]
    assert later.sum_up(points).splitlines() == [
        "calls of clean runs: 2 (launch 2 of 1 kinds)",
        "failures listed: 4; tried: 3 (2 calls failed); held: 1; wrong: 1; call not made that time: 1; not tried: 1",
    ]
    assert "left after release" in str(later.tried[wrong.point])
    assert "the step left 1 stack" in str(later.tried[held.point])

    later.note(Tried(wrong.point, 1))
    assert Progress(tmp_path / "tried").is_done(wrong.point)
