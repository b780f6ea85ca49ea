"""Data sets put together: as if by hand, kept once, and no memory for what nobody reads."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from workbench import datasets
from workbench.datasets import drawn, fetching
from workbench.errors import NotFound, Unavailable
from workbench.settings import Settings

TWICE = "pen-strokes", "pen-strokes"


@pytest.fixture(autouse=True)
def _few_and_no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drawn, "TRAIN", 400)
    monkeypatch.setattr(drawn, "TEST", 100)
    monkeypatch.setattr(fetching, "KERAS_FILES", "https://127.0.0.1:9")
    monkeypatch.setenv("PATH", "")


def place(settings: Settings) -> Path:
    return settings.data / "joined" / "+".join(TWICE)


def test_they_are_the_training_parts_in_order_and_the_first_ones_test_part(settings: Settings) -> None:
    (x, y), (x_test, y_test) = datasets.load("pen-strokes", settings)
    for _ in range(2):  # put together, and read
        found = datasets.joined(*TWICE, settings=settings)
        (a, b), (a_test, b_test) = found
        assert (type(a), str(a.dtype), str(b.dtype)) == (np.ndarray, "uint8", "int64")
        assert (a == np.concatenate([x, x])).all()
        assert (b == np.concatenate([y, y])).all()
        assert (a_test == x_test).all()
        assert (b_test == y_test).all()
        (settings.data / "pen-strokes.npz").unlink(missing_ok=True)  # needed no more
    assert sorted(path.name for path in place(settings).parent.iterdir()) == [
        ".pen-strokes+pen-strokes.lock",
        "pen-strokes+pen-strokes",
    ]


def mapped_kb(settings: Settings, kind: str) -> int:
    """So much of the file of pictures is in this process, ``Rss`` or ``Anonymous``."""
    told = Path("/proc/self/smaps").read_text()
    parts = re.split(r"^(?=[0-9a-f]+-[0-9a-f]+ )", told, flags=re.MULTILINE)
    own = [part for part in parts if str(place(settings) / "x_train.npy") in part]
    assert own, "the file is not mapped"
    return sum(int(re.findall(rf"{kind}:\s+(\d+) kB", part)[0]) for part in own)


@pytest.mark.skipif(sys.platform != "linux", reason="how much of a mapping is in memory is asked of Linux")
def test_what_nobody_reads_takes_no_memory_and_who_writes_has_a_copy(settings: Settings) -> None:
    datasets.joined(*TWICE, settings=settings)
    (x, _), _ = datasets.joined(*TWICE, settings=settings)
    assert mapped_kb(settings, "Anonymous") == 0
    before = mapped_kb(settings, "Rss")
    assert before < x.nbytes // 1024 // 2
    kept = x.copy()
    assert mapped_kb(settings, "Rss") > before
    x[-1] = 255 - x[-1]
    assert 0 < mapped_kb(settings, "Anonymous") <= 8
    (again, _), _ = datasets.joined(*TWICE, settings=settings)
    assert (again == kept).all()


def test_what_is_damaged_or_made_of_other_data_is_put_together_anew(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (x, _), _ = datasets.joined(*TWICE, settings=settings)
    right = x.copy()
    file = place(settings) / "x_train.npy"
    whole = file.read_bytes()
    spoilt = (b"", whole[:-1], whole[:-1] + bytes([whole[-1] ^ 1]))
    for bad in spoilt:
        aside = file.with_suffix(".new")
        aside.write_bytes(bad)
        aside.replace(file)
        (x, _), _ = datasets.joined(*TWICE, settings=settings)
        assert (x == right).all()
        assert file.read_bytes() == whole
    for bad_text in ("", "{}", "[]", '{"of": 3}'):
        (place(settings) / "made.json").write_text(bad_text)
        (x, _), _ = datasets.joined(*TWICE, settings=settings)
        assert (x == right).all()
    monkeypatch.setattr(drawn, "SEED", 4)
    (x, _), _ = datasets.joined(*TWICE, settings=settings)
    assert not (x == right).all()


def test_where_nothing_may_be_written_they_are_in_memory(settings: Settings) -> None:
    (x, _), _ = datasets.load("pen-strokes", settings)
    place(settings).parent.write_text("in the way")
    (a, _), _ = datasets.joined(*TWICE, settings=settings)
    assert (a == np.concatenate([x, x])).all()


def test_only_ours_can_be_put_together(settings: Settings) -> None:
    with pytest.raises(NotFound, match=r"called 'cifar'; there are: mnist, fashion-mnist, pen-strokes"):
        datasets.joined("mnist", "cifar", settings=settings)
    with pytest.raises(NotFound, match=r"name a data set; there are: mnist"):
        datasets.joined(settings=settings)
    with pytest.raises(Unavailable):
        datasets.joined("mnist", "pen-strokes", settings=settings, on_progress=lambda line: None)
