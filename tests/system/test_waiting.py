"""Waiting on a clock that only goes on when somebody sleeps."""

import pytest

from workbench.errors import Unavailable
from workbench.system.waiting import Clock, comes_true, wait_until


class Fake:
    def __init__(self) -> None:
        self.t, self.pauses = 100.0, list[float]()
        self.clock = Clock(lambda: self.t, self.sleep)

    def sleep(self, pause_s: float) -> None:
        self.pauses.append(pause_s)
        self.t += pause_s


def test_what_is_found_is_given_without_a_pause_after_it() -> None:
    fake, found = Fake(), iter(list[object]([None, [], "here"]))
    assert wait_until(lambda: next(found), 10, 0.5, "late", clock=fake.clock) == "here"
    assert fake.pauses == [0.5, 0.5]


def test_it_is_looked_once_also_where_there_is_no_time() -> None:
    assert wait_until(lambda: 7, 0, 1, "late", clock=Fake().clock) == 7


def test_when_time_is_up_the_message_says_what_is_known_then() -> None:
    fake, seen = Fake(), []
    with pytest.raises(Unavailable, match="saw 3"):
        wait_until(lambda: seen.append(1), 2, 1, lambda: f"saw {len(seen)}", clock=fake.clock)


def test_pauses_grow_up_to_the_longest() -> None:
    fake = Fake()
    assert not comes_true(lambda: False, 3, 1, clock=fake.clock)
    fake = Fake()
    with pytest.raises(Unavailable, match="late"):
        wait_until(lambda: False, 6, 1, "late", longest_s=1.5, clock=fake.clock)
    assert fake.pauses == [1, 1.4, 1.5, 1.5, 1.5]
