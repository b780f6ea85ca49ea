"""Digits that people drew: read, drawn, and counted apart by writer."""

import gzip
import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from benchmarks import hands
from benchmarks.hands import figures, models, others, showing, written
from benchmarks.hands.written import Written
from tests.backend import making
from workbench import doubt
from workbench.errors import BadInput, Unavailable

STEM, BAR = [[250, 480], [250, 20]], [[100, 250], [400, 250]]


def digits(*writers: int) -> list[Written]:
    """A stem, which is a 1, and a bar, which is no 1, by each writer."""
    return [
        written.parse(json.dumps({"digit": digit, "writer": writer, "strokes": [stroke]}))
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
    (one,) = written.read(tmp_path)
    assert (one.digit, one.writer, len(one.strokes)) == (7, 12, 2)
    assert one.strokes[0].tolist() == [[250, 20], [250, 480]]


def test_a_folder_without_strokes_says_what_to_give(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match=r"strokes\.jsonl\.gz cannot be read"):
        written.read(tmp_path)


@pytest.mark.parametrize("line", ["", "{}", '{"digit": 1, "writer": 2, "strokes": 3}', '{"digit": "x"}'])
def test_a_line_that_is_no_digit_is_shown(line: str) -> None:
    with pytest.raises(BadInput, match="Received"):
        written.parse(line)


@pytest.mark.parametrize("pen", written.PENS)
def test_a_stroke_is_as_wide_as_the_pen(pen: int) -> None:
    canvas = written.draw([np.array([[140.0, 60.0], [140.0, 220.0]])], pen)
    assert abs((canvas[140] > 128).sum() - pen) <= 2
    assert written.draw([np.array([[140.0, 60.0]])], pen).any()


def test_writers_are_counted_apart() -> None:
    people = digits(1, 2, 3)
    wrong = Written(0, 3, people[0].strokes)
    found = figures.measure_pen(models.Asked("tall", predict), [*people, wrong], 15, written.see)
    assert found.share(odd=False) == 1
    assert found.share(odd=True) == pytest.approx(4 / 5)
    share, writer = found.worst(odd=True)
    assert (round(share, 6), writer) == (round(2 / 3, 6), 3)
    assert found.worst(odd=False) == (1, 2)
    assert found.calibration(odd=True) == pytest.approx(0.1, abs=1e-6)
    assert found.doubts(odd=True) == 0


@pytest.mark.parametrize("name", others.KINDS)
def test_each_kind_that_is_no_digit_is_drawn(name: str) -> None:
    random = np.random.default_rng(1)
    drawn = [others.KINDS[name](random, digits(1, 2)) for _ in range(5)]
    assert all(canvas.dtype == np.uint8 and canvas.max() > 200 for canvas in drawn)
    assert len({canvas.tobytes() for canvas in drawn}) == 5


def test_all_digits_are_moved_to_all_places_in_all_sizes() -> None:
    people = [Written(digit, 1, digits(1)[0].strokes) for digit in range(10)]
    moved = list(written.moved(people))
    assert {digit for digit, _ in moved} == set(range(10))
    assert len(moved) >= 10 * 5 * 25
    assert all(canvas.any() for _, canvas in moved)


def found_by(predict: models.Predict) -> figures.Figures:
    pens = tuple(
        figures.measure_pen(models.Asked("a <model>", predict), digits(1, 2), pen, written.see)
        for pen in (10, 15)
    )
    return figures.Figures("a <model>", pens, 0.99, 0.98, 0.01, {"scans": 0.97}, {"frame": 29}, {"row": 0.91})


def test_the_table_has_all_figures() -> None:
    told = showing.table(found_by(predict))
    for figure in (
        "| pen 15 | 100.00% |",
        "98.00%, of which 1.00% doubted",
        "scans: 97.00%",
        "frame 29",
        "row 91.0%",
    ):
        assert figure in told


def test_the_picture_is_well_formed() -> None:
    root = ElementTree.fromstring(showing.picture([found_by(predict), found_by(predict)]))
    lines = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(lines) == 7
    assert "a <model>" in [text.text for text in root.findall("{http://www.w3.org/2000/svg}text")]


def test_a_detector_counts_what_it_doubts() -> None:
    asked = models.Asked("sure", predict, making.sure_of(doubt.OTHER))
    found = figures.measure_pen(asked, digits(1, 2), 15, written.see)
    assert found.doubts(odd=True) == 1


def test_without_data_the_section_says_how_to_name_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(hands.DATA, raising=False)
    with pytest.raises(Unavailable, match="--data or HANDS_DATA"):
        hands.run()
