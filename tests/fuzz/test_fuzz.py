"""A seeded part of the fuzzing, and every input that was once too much for its reader."""

from contextlib import suppress
from pathlib import Path

import pytest

from tests.fuzz.feeding import feed, hurry, kept
from tests.fuzz.made import case
from tests.fuzz.made.case import Case, Generator
from tests.fuzz.made.generators import GENERATORS
from tests.fuzz.targets import Target, targets

INPUTS = 300
MADE = 60
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


@pytest.mark.parametrize("generator", GENERATORS, ids=lambda generator: generator.name)
def test_what_other_programs_write_is_understood(generator: Generator) -> None:
    found = case.try_many(generator, MADE, seed=7)
    assert list(found.crashes.values()) == []


@pytest.mark.parametrize(
    ("generator", "once"),
    [(generator, once) for generator in GENERATORS for once in case.kept(generator)],
    ids=lambda value: value.name if isinstance(value, Generator) else value.how,
)
def test_what_was_once_not_understood_is(generator: Generator, once: Case) -> None:
    generator.check(once)
