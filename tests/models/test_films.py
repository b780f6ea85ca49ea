"""The film of a version is read back, and what is no film is none."""

import json
from pathlib import Path

import pytest

from workbench.models import films


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


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"frames": []}',
        '{"frames": 3}',
        '{"frames": [{"step": 1, "weights": "?"}]}',
        "[" * 99_999,
    ],
)
def test_what_is_no_film_is_none(tmp_path: Path, text: str) -> None:
    assert films.read(tmp_path) is None
    (tmp_path / "film.json").write_text(text)
    assert films.read(tmp_path) is None
