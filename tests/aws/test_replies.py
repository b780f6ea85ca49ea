"""Answers of the real AWS, kept by rehearsals in ``replies/``: our readers must take each of them."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from workbench.aws import instances, outputs, prices

FOLDER = Path(__file__).parent / "replies"
KEPT = sorted(FOLDER.glob("*.jsonl"))


def _instances(answer: Any) -> None:
    for one in answer.get("Instances", []):
        launched = datetime.datetime.fromisoformat(one["LaunchTime"])
        assert instances.parse({**one, "LaunchTime": launched}).state


def _reservations(answer: Any) -> None:
    for reservation in answer["Reservations"]:
        _instances(reservation)


READERS: dict[str, Callable[[Any], object]] = {
    "RunInstances": _instances,
    "DescribeInstances": _reservations,
    "DescribeStacks": lambda answer: [outputs.parse(stack) for stack in answer["Stacks"]],
    "GetProducts": lambda answer: [prices.read_offer(json.loads(one)) for one in answer["PriceList"]],
    "GetServiceQuota": lambda answer: float(answer["Quota"]["Value"]),
}


def read(path: Path) -> int:
    """Let our readers take all answers of a file; how many they took."""
    count = 0
    for line in path.read_text().splitlines():
        told = json.loads(line)
        if told["status"] == 200 and (reader := READERS.get(told["operation"])):
            reader(told["answer"])
            count += 1
    return count


@pytest.mark.skipif(
    not KEPT, reason="nobody has rehearsed on the real AWS yet: tests/aws/replies/ has no answers"
)
def test_our_readers_take_what_the_real_aws_answered() -> None:
    assert all(read(path) for path in KEPT)
