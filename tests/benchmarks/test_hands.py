"""Digits that people drew: read, drawn, and counted apart by writer."""

import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks import hands
from workbench.errors import BadInput, Unavailable

STEM, BAR = [[250, 480], [250, 20]], [[100, 250], [400, 250]]


def digits(*writers: int) -> list[hands.Written]:
    """A stem, which is a 1, and a bar, which is no 1, by each writer."""
    return [
        hands.parse(json.dumps({"digit": digit, "writer": writer, "strokes": [stroke]}))
        for writer in writers
        for digit, stroke in ((1, STEM), (0, BAR))
    ]


def predict(pictures: np.ndarray) -> np.ndarray:
    """Say 1, by 0.9, where a picture is higher than wide; else 0, by as much."""
    ink = pictures[..., 0] > 128
    tall = ink.any(axis=2).sum(axis=1) > ink.any(axis=1).sum(axis=1)
    answers = np.full((len(ink), 10), 0.1 / 9, np.float32)
    answers[np.arange(len(ink)), tall.astype(int)] = 0.9
    return answers


def test_strokes_are_read_from_a_packed_file(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "strokes.jsonl.gz", "wt") as file:
        file.write(json.dumps({"digit": 7, "writer": "12", "strokes": [STEM, BAR]}) + "\n")
    (written,) = hands.read(tmp_path)
    assert (written.digit, written.writer, len(written.strokes)) == (7, 12, 2)
    assert written.strokes[0].tolist() == [[250, 20], [250, 480]]


def test_a_folder_without_strokes_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"strokes\.jsonl\.gz cannot be read"):
        hands.read(tmp_path)


@pytest.mark.parametrize("line", ["", "{}", '{"digit": 1, "writer": 2, "strokes": 3}', '{"digit": "x"}'])
def test_a_line_that_is_no_digit_is_shown(line: str) -> None:
    with pytest.raises(BadInput, match="Received"):
        hands.parse(line)


@pytest.mark.parametrize("pen", hands.PENS)
def test_a_stroke_is_as_wide_as_the_pen(pen: int) -> None:
    canvas = hands.draw([np.array([[140.0, 60.0], [140.0, 220.0]])], pen)
    assert abs((canvas[140] > 128).sum() - pen) <= 2
    assert hands.draw([np.array([[140.0, 60.0]])], pen).any()


def test_writers_are_counted_apart() -> None:
    written = digits(1, 2, 3)
    wrong = hands.Written(0, 3, written[0].strokes)
    found = hands.measure(predict, [*written, wrong], 15, hands.see)
    assert found.share(odd=False) == 1
    assert found.share(odd=True) == pytest.approx(4 / 5)
    share, writer = found.worst
    assert share == pytest.approx(2 / 3)
    assert writer == 3
    assert found.calibration == pytest.approx(abs(0.9 - 6 / 7), abs=1e-6)


def test_without_data_the_section_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hands.DATA, raising=False)
    with pytest.raises(Unavailable, match="--data or HANDS_DATA"):
        hands.run()
