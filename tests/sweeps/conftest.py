"""What tests of sweeps ask for."""

from collections.abc import Iterator

import pytest

from tests.sweeps.fake_queue import Queue, by_units
from workbench.settings import Settings


@pytest.fixture
def queue(settings: Settings) -> Iterator[Queue]:
    made = Queue(settings, by_units)
    with made.store:
        yield made
