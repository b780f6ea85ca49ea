"""The film of a version is read back, one that grows is followed, and what is no film is none."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest

from workbench import film as films


def test_a_film_is_read_back(tmp_path: Path) -> None:
    told = {
        "format": 1,
        "steps": [],
        "frames": [{"step": 0, "weights": "YWI="}, {"step": 5, "weights": "Y2Q="}],
    }
    (tmp_path / "film.json").write_text(json.dumps(told))
    found = films.read(tmp_path)
    assert found is not None
    assert found.form == {"format": 1, "steps": []}
    assert [(frame.step, frame.numbers) for frame in found.frames] == [(0, b"ab"), (5, b"cd")]


def test_a_version_without_a_film_keeps_the_reason(tmp_path: Path) -> None:
    films.write(films.absent("it has 9 numbers too many"), tmp_path)
    found = films.read(tmp_path)
    assert found is not None
    assert found.frames == ()
    assert films.why_absent(found) == "it has 9 numbers too many"
    assert films.why_absent(films.Film({"format": 1}, ())) == ""


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"frames": []}',
        '{"frames": 3}',
        '{"frames": [], "missing": 3}',
        '{"frames": [{"step": 1, "weights": "?"}]}',
        pytest.param("[" * 99_999, id="nested too deep"),
    ],
)
def test_what_is_no_film_is_none(tmp_path: Path, text: str) -> None:
    assert films.read(tmp_path) is None
    (tmp_path / "film.json").write_text(text)
    assert films.read(tmp_path) is None


def test_a_versions_film_has_examples_of_each_class(tmp_path: Path) -> None:
    y = np.repeat(np.arange(3), 100)
    x = np.broadcast_to(y.astype(np.uint8)[:, None, None, None], (300, 2, 2, 1))
    np.savez_compressed(tmp_path / "alike.npz", x=x, y=y)
    kept = films.Film(
        {"labels": ["a", "b"], "examples": {"pixels": "", "labels": []}}, (films.Frame(0, b"ab"),)
    )
    films.write(kept, tmp_path)
    assert "examples" not in json.loads((tmp_path / "film.json").read_text())
    found = films.read(tmp_path)
    assert found is not None
    examples = found.form["examples"]
    assert isinstance(examples, dict)
    assert examples["labels"] == ["a"] * 66 + ["b"] * 66 + ["2"] * 66
    pixels = base64.b64decode(examples["pixels"])
    assert pixels == x[:, 0, 0, 0][[*range(66), *range(100, 166), *range(200, 266)]].repeat(4).tobytes()


def test_a_film_that_grows_is_followed_frame_by_frame(tmp_path: Path) -> None:
    growing = films.Growing(tmp_path, "job", "film")
    assert not growing.refresh()
    first, second, third = (films.Frame(step, bytes([step])) for step in (0, 1, 7))
    recorder = films.Recorder(tmp_path / "job" / "film")
    recorder.follow(films.Film({"format": 1}, (first,)))
    assert growing.refresh()
    assert (growing.form, growing.frames) == ({"format": 1}, (first,))
    recorder.follow(films.Film({"format": 1}, (first, second)))
    recorder.follow(films.Film({"format": 1}, (first, third)))  # the second one only passed
    assert growing.refresh()
    assert growing.frames == (first, third)
    again = films.Recorder(tmp_path / "job" / "film")
    again.follow(films.Film({"format": 2}, (first,)))  # the training begins anew
    assert growing.refresh()
    assert growing.form == {"format": 2}
    assert list(growing.frames) == [first]


def test_a_training_that_goes_on_adds_to_the_frames_it_has_left(tmp_path: Path) -> None:
    first, second, later, other = (films.Frame(step, bytes([k])) for k, step in enumerate((0, 1, 7, 7)))
    folder = tmp_path / "film"
    films.Recorder(folder).follow(films.Film({"format": 1}, (first, second, later)))
    growing = films.Growing(tmp_path, "film")
    assert growing.refresh()
    kept = [(folder / f"frame-{step}").stat().st_ino for step in (0, 1)]
    films.Recorder(folder).follow(films.Film({"format": 1}, (first, second, other)))  # step 7 was done anew
    assert growing.refresh()
    assert growing.frames == (first, second, other)
    assert [(folder / f"frame-{step}").stat().st_ino for step in (0, 1)] == kept


def test_no_link_in_a_film_is_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    films.Recorder(tmp_path / "film").follow(films.Film({"format": 1}, (films.Frame(0, b"a"),)))
    (tmp_path / "film" / "frame-1").symlink_to(tmp_path / "secret")
    growing = films.Growing(tmp_path, "film")
    assert not growing.refresh()
    assert growing.frames == ()
