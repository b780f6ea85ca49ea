"""Scans of other writers: where they come from, and that a model is asked as the back end would ask it."""

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import scans, writers
from benchmarks.scans import MFEAT, OPTDIGITS
from workbench.errors import Unavailable
from workbench.pictures.inputs import prepare
from workbench.settings import from_environment

NAMES = ",".join(str(number) for number in range(64)) + ",0\n"
FULL = ",".join(["16"] * 64)


def packed(text: str, unpacked: list[str]) -> Callable[[str, Path], None]:
    """Stands in for PyPI: a package with that one table in it."""

    def unpack(package: str, folder: Path) -> None:
        unpacked.append(package)
        path = folder / OPTDIGITS.file
        path.parent.mkdir(parents=True)
        path.write_text(text)

    return unpack


def test_a_table_is_read_without_its_head() -> None:
    for head in ("@relation optdigits\n@data\n", NAMES):
        ink, digits = scans.read(f"{head}{FULL},7\n{FULL},0\n", OPTDIGITS)
        assert ink.shape == (2, 8, 8)
        assert ink.dtype == np.uint8
        assert ink.min() == 255
        assert digits.tolist() == [7, 0]


def test_scans_are_fetched_once(tmp_path: Path) -> None:
    text = f"{FULL},7\n"
    known = replace(OPTDIGITS, sha256=hashlib.sha256(text.encode()).hexdigest())
    settings, unpacked = from_environment({"WORKBENCH_HOME": str(tmp_path)}), list[str]()
    for _ in range(2):
        assert scans.load(known, settings, packed(text, unpacked))[1].tolist() == [7]
    assert unpacked == [OPTDIGITS.package]


def test_other_scans_than_the_known_ones_are_refused_and_not_kept(tmp_path: Path) -> None:
    settings, unpacked = from_environment({"WORKBENCH_HOME": str(tmp_path)}), list[str]()
    for _ in range(2):
        with pytest.raises(Unavailable, match=OPTDIGITS.sha256):
            scans.load(OPTDIGITS, settings, packed(f"{FULL},7\n", unpacked))
    assert len(unpacked) == 2


def test_a_scan_is_seen_in_the_proportions_that_it_was_written_in() -> None:
    rows, columns = np.indices(MFEAT.shape)  # 30×48 points on the map
    far = np.hypot((rows - 7.5) / 7.5, (columns - 7) / 7)
    nought = np.where((far > 0.75) & (far < 1.1), 255, 0).astype(np.uint8)
    _, seen = prepare(scans.photograph(nought, MFEAT), writers.AS_MNIST)
    assert seen is not None
    rows, columns = np.nonzero(seen > 128)
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 == pytest.approx(20 * 30 / 48, abs=1)


def test_a_scan_in_which_nothing_is_seen_counts_as_wrong() -> None:
    ink = np.zeros((3, 8, 8), np.uint8)
    ink[1:, 2:6, 3:5] = 255
    ones = np.eye(10, dtype=np.float32)[[1]]
    found = writers.ask(lambda x: ones.repeat(len(x), 0), OPTDIGITS, ink, np.array([1, 1, 4]))
    assert found.accuracy == pytest.approx(1 / 3)
    assert found.confusion[4, 1] == 1
    assert writers.worst_pairs(found.confusion) == [(1, 2, 1), (4, 1, 1)]
    assert "4 as 1 1×" in writers.table("a model", [(OPTDIGITS, found)])


def test_scans_are_learned_from_as_the_back_end_shows_them() -> None:
    ink = np.zeros((1, 8, 8), np.uint8)
    ink[0, 1:7, 4] = 255
    before = np.zeros((2, 28, 28, 1), np.uint8), np.array([3, 5])
    x, y = writers.join(before, OPTDIGITS, ink, np.array([1]))
    assert x.shape == (2 + writers.TIMES, 28, 28, 1)
    assert y.tolist() == [3, 5] + [1] * writers.TIMES
    _, seen = prepare(scans.photograph(ink[0], OPTDIGITS), writers.AS_MNIST)
    assert (x[-1, :, :, 0] == seen).all()


def test_only_a_recipe_is_trained(capsys: pytest.CaptureFixture[str]) -> None:
    assert writers.main(["no-such-folder", "--learn", "mfeat-pix"]) == 2
    assert "give its folder. Received: no-such-folder" in capsys.readouterr().err
