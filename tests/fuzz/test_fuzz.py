"""A seeded part of the fuzzing, and every input that was once too much for its reader."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.fuzz.feeding import feed, hurry, kept
from tests.fuzz.targets import Target, targets

INPUTS = 300
TARGETS = targets()


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.name)
def test_damaged_input_is_read_or_refused_in_words(target: Target) -> None:
    fed = feed(target, INPUTS, seed=7)
    assert list(fed.crashes.values()) == []


@pytest.mark.parametrize(
    ("target", "path"),
    [(target, path) for target in TARGETS for path in kept(target)],
    ids=lambda value: value.name,
)
def test_what_was_once_a_crash_is_read_or_refused_in_words(target: Target, path: Path) -> None:
    with hurry(10), suppress(*target.allowed):
        target.feed(path.read_bytes())
