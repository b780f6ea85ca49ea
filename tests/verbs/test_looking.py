"""An array of a data set is looked at as a line a channel, where it is one."""

import numpy as np
import pytest

from workbench.verbs.datasets import looking


def test_a_series_is_shown_as_a_line_for_each_channel_with_gaps_left_out() -> None:
    value = np.stack([np.arange(500.0), np.full(500, np.nan), np.zeros(500)], axis=1)
    shown = looking.series(value)
    assert 'aria-label="500 values of 3 channels, from 0 to 499"' in shown
    rising, missing, flat = (part.partition('"')[0].split() for part in shown.split('points="')[1:])
    assert (rising[0], rising[-1]) == ("0,31.0", "160,1.0")
    assert (len(rising), len(missing), len(flat)) == (160, 0, 160)


@pytest.mark.parametrize(
    "value",
    [
        1.5,
        "1, 2, 3",
        np.zeros(3),
        np.full(50, np.inf),
        np.zeros((40, 40)),
        np.zeros((9, 9, 1)),
        np.array(["a"] * 9),
        np.zeros(0),
    ],
    ids=repr,
)
def test_what_is_no_series_is_no_line(value: object) -> None:
    assert looking.series(value) == ""
