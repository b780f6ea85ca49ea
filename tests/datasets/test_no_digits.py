"""Drawings that are no digit: every glyph is written, no two alike, and each is told by its kind."""

import numpy as np
import pytest

from workbench.datasets import no_digits
from workbench.datasets.handwriting import draw
from workbench.datasets.no_digits import Kind, glyphs, rows, scribbles
from workbench.pictures import ink

GLYPHS = (*glyphs.LETTERS, *glyphs.SIGNS)


@pytest.mark.parametrize("told", GLYPHS)
def test_each_glyph_is_written_by_each_hand_in_a_way_of_its_own(told: str) -> None:
    drawings = glyphs.write(np.random.default_rng(1), glyphs.parse(told), 5)
    assert len(drawings) == 5
    assert len({np.concatenate(drawing).tobytes() for drawing in drawings}) == 5
    assert all(len(drawing) == told.count("|") + 1 for drawing in drawings)
    assert all(np.isfinite(stroke).all() for drawing in drawings for stroke in drawing)


def test_no_glyph_stands_twice() -> None:
    assert len(set(GLYPHS)) == len(GLYPHS)


@pytest.mark.parametrize("kind", [kind for _, kind in scribbles.SCRIBBLES])
def test_each_kind_of_scribble_leaves_ink(kind: object) -> None:
    assert callable(kind)
    for seed in range(5):
        drawing = kind(np.random.default_rng(seed))
        assert ink.fit(draw(drawing, 0.1)) is not None


def test_lines_lie() -> None:
    for seed in range(50):
        (line,) = scribbles.line(np.random.default_rng(seed))
        wide, high = np.ptp(line, axis=0)
        assert wide > high


def test_shares_are_whole() -> None:
    assert sum(share for share, _ in scribbles.SCRIBBLES) == pytest.approx(1)
    assert sum(no_digits.SHARES.values()) == pytest.approx(1)


def test_rows_are_of_several_digits() -> None:
    drawings = rows.several(np.random.default_rng(2), 60)
    sides = np.array([np.ptp(np.concatenate(drawing), axis=0) for drawing in drawings])
    assert (sides.max(axis=1) > 1.4).mean() > 0.7
    assert 5 < (sides[:, 1] > sides[:, 0]).sum() < 40  # one above the other, too
    assert all(len(drawing) >= 2 for drawing in drawings)


def test_heaps_are_of_digits_across_one_another() -> None:
    drawings = rows.heaps(np.random.default_rng(2), 60)
    assert all(len(drawing) >= 3 for drawing in drawings)
    sides = np.array([np.ptp(np.concatenate(drawing), axis=0) for drawing in drawings])
    assert (sides.max(axis=1) < 2.5).all()
    assert np.median(sides.max(axis=1)) < 1.6
    assert all(
        len(drawing) >= 3 for drawing in (scribbles.invented(np.random.default_rng(k)) for k in range(20))
    )


def test_no_pen_is_so_wide_that_a_letter_becomes_a_blot() -> None:
    pictures, kinds = no_digits.draw_all(300, seed=5)
    inked = (pictures[kinds == Kind.NOTHING] > 127).mean(axis=(1, 2))
    assert np.quantile(inked, 0.9) < 0.35


def test_pictures_are_fitted_in_no_order_and_again_the_same() -> None:
    pictures, kinds = no_digits.draw_all(300, seed=3)
    assert pictures.shape == (len(kinds), 28, 28)
    assert len(kinds) > 290
    assert set(kinds.tolist()) == set(Kind)
    assert 0.2 < (kinds == Kind.SEVERAL).mean() < 0.45
    assert len(set(kinds[:40].tolist())) == 2
    assert (pictures.max(axis=(1, 2)) == 255).all()
    again, same = no_digits.draw_all(300, seed=3)
    assert (again == pictures).all()
    assert (same == kinds).all()
