"""How long a request may take to arrive."""

import pytest

from backend.server.arrival import ARRIVE_S, Arrival


def test_a_drip_does_not_lengthen_the_time_but_a_steady_large_body_does() -> None:
    drip, steady = Arrival(0.0), Arrival(0.0)
    for second in range(1, 10):
        drip.feed(1, second)
        steady.feed(500_000, second)
    assert drip.deadline == pytest.approx(ARRIVE_S, abs=0.01)
    assert steady.deadline == pytest.approx(9 + ARRIVE_S)
