"""A part of ``python -m tests.aws.failures``, in an order that ``FAILURES_SEED`` draws."""

import os
import random
from pathlib import Path

from tests.aws import failures
from tests.aws.failures import Point
from tests.emulator import Emulator

SECONDS = 40.0
"""After which no other failure is begun; one takes seconds."""
SEED = int(os.environ.get("FAILURES_SEED", "5"))


def test_a_call_that_fails_leaves_nothing_behind_and_its_reason_is_told(
    proc_emulator: Emulator, tmp_path: Path
) -> None:
    def choose(every: list[Point]) -> list[Point]:
        return random.Random(SEED).sample(every, len(every))

    told = failures.run(proc_emulator, tmp_path, failures.BEFORE, choose, SECONDS)
    print(f"seed {SEED}: {told['calls']} calls, {told['failures']} of {told['of']} failures tried")
    assert told["wrong"] == {}
