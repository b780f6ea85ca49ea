"""The held-out part of a job comes back as it was given, and nothing else is taken for one."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

from workbench.models import held_out


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (np.zeros((3, 28, 28, 1), np.uint8), np.array([1, 2, 3])),
        (np.arange(12, dtype="float32").reshape(3, 4)[:, ::2], np.eye(3)),
        (np.array(["ja", "größer", ""]), np.array([True, False, True])),
        (np.zeros((2, 0)), np.zeros(2, ">f8")),
    ],
)
def test_a_part_comes_back_as_it_was(tmp_path: Path, x: np.ndarray, y: np.ndarray) -> None:
    held_out.write(tmp_path / held_out.FILE, x, y)

    found = held_out.read(tmp_path / held_out.FILE)

    assert all((a == b).all() and a.dtype == b.dtype for a, b in zip(found, (x, y), strict=True))
    assert held_out.digest(*found) == held_out.digest(x, y)


def test_another_part_has_another_digest() -> None:
    x, y = np.arange(6.0).reshape(3, 2), np.array([0, 1, 2])
    others = [(x + 1, y), (x, y[::-1]), (x.astype("f4"), y), (x.reshape(3, 2, 1), y), (x[:2], y[:2])]
    assert len({held_out.digest(*part) for part in [(x, y), *others]}) == 6


def header(text: bytes) -> bytes:
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000000000,), }\n"),
        header(b"{'descr': '|O', 'fortran_order': False, 'shape': (3,), }\n"),
        header(b"(" * 9000),
        header(b"{'descr': '<f8', 'fortran_order': False, 'shape': (-3,), }\n"),
        b"",
        b"\x93NUMPY",
        None,
    ],
)
def test_what_is_no_part_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / held_out.FILE
    if content is None:
        path.write_bytes(b"PK\x03\x04 no zip")
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("x.npy", content)
            archive.writestr("y.npy", content)
    with pytest.raises(ValueError, match=r"held_out\.npz"):
        held_out.read(path)


@pytest.mark.parametrize(
    "y", [np.zeros(2), np.zeros(0), np.array(3), np.zeros(3, "c8"), np.zeros(3, "M8[s]")]
)
def test_parts_that_do_not_belong_together_are_refused(tmp_path: Path, y: np.ndarray) -> None:
    np.savez(tmp_path / held_out.FILE, x=np.zeros((3, 2)), y=y)
    with pytest.raises(ValueError, match="of one length"):
        held_out.read(tmp_path / held_out.FILE)
