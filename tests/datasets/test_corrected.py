"""Accepted drawings as data sets: what is learned, what is kept aside by writer, and models to go on from."""

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chain import make_settings
from workbench import datasets
from workbench.datasets import corrected as module
from workbench.datasets.writers import Drawing, sides
from workbench.errors import NotFound, Unavailable
from workbench.manifest import write_listing
from workbench.settings import Settings


@pytest.fixture(autouse=True)
def _forget_what_was_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_used", {})


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_settings(tmp_path / "home")


def name(*parts: object) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()


def written(writers: int, each: int) -> list[Drawing]:
    """So many drawings of each of so many writers."""
    return [
        Drawing(name(w, n), "collected", f"writer {w}", name("session", w)[:12])
        for w in range(writers)
        for n in range(each)
    ]


def exported(settings: Settings, drawings: list[Drawing], folder: Path, **fields: Any) -> datasets.Corrected:
    folder.mkdir()
    count = len(drawings)
    np.savez(
        folder / "corrections.npz",
        x=np.arange(count, dtype=np.uint8)[:, None, None] * np.ones((1, 28, 28), np.uint8),
        y=np.arange(count) % 10,
        predicted=np.full(count, -1),
    )
    rows = [{"id": d.id, "kind": d.kind, "writer": d.writer, "session": d.session} for d in drawings]
    write_listing(folder, {"count": count, "corrections": rows, **fields})
    return datasets.add_corrections(folder, settings)


# ── sides ──


def test_corrections_are_all_learned() -> None:
    assert set(sides([Drawing(name(n)) for n in range(200)])) == {"learned"}


def test_of_few_writers_each_is_learned_and_a_fourth_of_the_drawings_is_kept_aside() -> None:
    drawings = written(4, 100)
    found = sides(drawings)
    assert set(found) == {"learned", "same"}
    for writer in range(4):
        assert 10 <= found[100 * writer : 100 * writer + 100].count("same") <= 40


def test_of_many_writers_some_are_kept_aside_with_all_that_they_drew() -> None:
    drawings = written(60, 20)
    by_writer: dict[str, set[str]] = {}
    for drawing, side in zip(drawings, sides(drawings), strict=True):
        by_writer.setdefault(drawing.session, set()).add(side)
    others = [found for found in by_writer.values() if "others" in found]
    assert 5 <= len(others) <= 20
    assert all(found == {"others"} for found in others)


def test_a_side_stays_when_more_is_collected() -> None:
    few, many = written(8, 10), written(30, 30)
    later = dict(zip([d.id for d in many], sides(many), strict=True))
    for drawing, side in zip(few, sides(few), strict=True):
        assert later.get(drawing.id, side) == side


def test_of_five_writers_one_is_kept_aside_whatever_they_are_called() -> None:
    for salt in range(60):
        five = [name(10 * salt + n, "s") for n in range(5)]
        drawings = [
            Drawing(name(100 * salt + 10 * w + n), "collected", "", five[w])
            for w in range(5)
            for n in range(8)
        ]
        before = {
            d.session: side for d, side in zip(drawings, sides(drawings), strict=True) if side != "same"
        }
        assert {"others", "learned"} == set(before.values())
        joined = [Drawing(name(n, "j"), "collected", "", name(salt, "new")) for n in range(8)]
        for drawing, side in zip(drawings, sides(drawings + joined), strict=False):
            assert side != "others" or before[drawing.session] == "others", "who was learned stays so"


def test_somebody_is_always_learned_from() -> None:
    for salt in range(300):
        assert "learned" in sides([Drawing(name(salt), "collected", "", name(salt, "s"))])
    assert sides([]) == ()


# ── versions ──


def test_a_recipe_gets_what_is_learned_and_writers_are_kept_with_the_version(
    settings: Settings, tmp_path: Path
) -> None:
    drawings = [Drawing(name("correction", n)) for n in range(5)] + written(3, 20)
    kept = exported(settings, drawings, tmp_path / "export")
    x, y = datasets.corrections(settings=settings)
    learned = kept.mask("learned")
    assert 5 < len(x) == int(learned.sum()) < 65
    np.testing.assert_array_equal(x[:, 0, 0], np.flatnonzero(learned))
    np.testing.assert_array_equal(y, np.flatnonzero(learned) % 10)
    assert datasets.corrections_used() == (kept,)
    assert {d.writer for d in kept.drawings} == {"", "writer 0", "writer 1", "writer 2"}
    told = json.loads((kept.folder / "manifest.json").read_text())
    assert told["corrections"][-1]["writer"] == "writer 2"


def test_the_same_drawings_are_kept_once_and_one_more_makes_a_version(
    settings: Settings, tmp_path: Path
) -> None:
    drawings = written(2, 3)
    assert exported(settings, drawings[:5], tmp_path / "1").version == 1
    assert exported(settings, drawings[:5], tmp_path / "2").version == 1
    assert exported(settings, drawings, tmp_path / "3").version == 2


def test_a_version_from_before_writers_were_kept_is_learned_as_it_was(
    settings: Settings, tmp_path: Path
) -> None:
    exported(settings, [Drawing(name(n)) for n in range(3)], tmp_path / "old")
    path = settings.data / "corrections" / "1" / "manifest.json"
    told = json.loads(path.read_text())
    for row in told["corrections"]:
        for key in ("kind", "writer", "session"):
            del row[key]
    path.chmod(0o644)
    path.write_text(json.dumps(told))
    assert len(datasets.corrections(settings=settings)[0]) == 3


def test_arrays_that_do_not_belong_to_their_manifest_are_refused(settings: Settings, tmp_path: Path) -> None:
    kept = exported(settings, written(1, 3), tmp_path / "export")
    path = kept.folder / "corrections.npz"
    path.chmod(0o644)
    np.savez(path, x=np.zeros((2, 28, 28), np.uint8), y=np.zeros(2), predicted=np.zeros(2))
    with pytest.raises(Unavailable, match="2 drawings, 3 in the manifest"):
        datasets.corrections(settings=settings)


# ── models to go on from ──


def test_a_model_to_go_on_from_is_kept_once_for_everybody_to_read(settings: Settings, tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"weights")
    assert datasets.add_parent("mnist-cnn", 3, tmp_path / "model.keras", settings) == "mnist-cnn:3"
    path = datasets.find_parent("mnist-cnn:3", settings)
    assert (path.read_bytes(), path.stat().st_mode & 0o777) == (b"weights", 0o444)
    (tmp_path / "model.keras").write_bytes(b"other")
    datasets.add_parent("mnist-cnn", 3, tmp_path / "model.keras", settings)
    assert path.read_bytes() == b"weights"
    assert [p.name for p in path.parent.iterdir()] == [path.name]


@pytest.mark.parametrize(
    "reference", ["mnist-cnn:4", "mnist-cnn", "../x:1", ":1", "a:b", ".x:1", "mnist-cnn:"]
)
def test_a_model_that_is_not_there_is_not_found(settings: Settings, reference: str) -> None:
    with pytest.raises(NotFound):
        datasets.find_parent(reference, settings)
