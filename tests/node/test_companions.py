"""What travels with a version besides its forms."""

from pathlib import Path

import numpy as np
import pytest

from workbench.manifest import Input
from workbench.node.companions import sample

GREY = Input((4, 4, 1), "image", range=(0.0, 1.0))


def test_a_sample_has_as_many_of_each_class_as_pixels() -> None:
    x = np.random.default_rng(0).random((2_000, 4, 4, 1)).astype(np.float32)
    y = np.arange(2_000) % 3
    found = sample.choose((x, y), GREY)
    assert found is not None
    pixels, labels = found
    assert pixels.dtype == np.uint8
    assert np.bincount(labels).tolist() == [200, 200, 200]
    assert np.abs(pixels[0] / 255 - x[0]).max() < 0.002


def test_a_column_for_each_class_is_a_class() -> None:
    x, y = np.zeros((30, 4, 4, 1)), np.eye(3)[np.arange(30) % 3]
    found = sample.choose((x, y), GREY)
    assert found is not None
    assert sorted(set(found[1].tolist())) == [0, 1, 2]


@pytest.mark.parametrize(
    ("x", "y", "wanted"),
    [
        (np.zeros((9, 4, 4, 3)), np.zeros(9, int), Input((4, 4, 3), "image")),
        (np.zeros((9, 7)), np.zeros(9, int), Input((7,))),
        (np.zeros((9, 4, 4, 1)), np.zeros((9, 1)), GREY),
        (np.array(["a"] * 9), np.zeros(9, int), Input((), "text", "string")),
    ],
)
def test_what_is_no_small_grey_picture_with_a_class_has_none(
    x: np.ndarray, y: np.ndarray, wanted: Input, tmp_path: Path
) -> None:
    sample.write(tmp_path, (x, y), wanted)
    assert list(tmp_path.iterdir()) == []
