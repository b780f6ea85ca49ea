"""What spoke for and against a class, of models whose reason is known."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from backend.inside import occlusion

BAR = slice(8, 12), slice(4, 16)
"""Three parts of a grid of seven, side by side."""


def flagged(x: NDArray[Any]) -> NDArray[np.float32]:
    """Two classes: the second where anything of the bar is left, as a network takes a stub of a stroke for the stroke."""
    there = x[(slice(None), *BAR)].max(axis=(1, 2, 3)) > 0
    second = np.where(there, 0.9, 0.1).astype(np.float32)
    return np.stack([1 - second, second], axis=1)


def test_a_stroke_speaks_for_a_class_that_needs_any_part_of_it() -> None:
    seen = np.zeros((28, 28, 1), np.uint8)
    seen[BAR] = 255
    seen[8:26, 16:18] = 255
    x = seen[None].astype(np.float32)
    told: Any = occlusion.explain(flagged, x, seen, flagged(x)[0], 7, 0)
    against, spoke = np.array(told["changes"]).reshape(2, 7, 7)
    assert spoke[2, 2] == round(2 * np.log(9), 2)
    assert against[2, 2] == -spoke[2, 2]
    assert not spoke[4:].any()  # the stem


def test_what_is_around_a_part_ends_at_the_edges() -> None:
    edges = np.array([0, 4, 8, 12, 16, 20, 24, 28])
    assert [occlusion.around(edges, part) for part in (0, 3, 6)] == [slice(0, 8), slice(8, 20), slice(20, 28)]
