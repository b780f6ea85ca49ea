"""The held-out part of a job's data on its way from where the model was trained to where it is measured: ``held_out.npz``."""

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workbench import arrays
from workbench.arrays import Arrays

if TYPE_CHECKING:
    import numpy as np


FILE = "held_out.npz"
AGAIN = "held_out.again.npz"
"""What ``load_data`` gave when it was called once more."""


def write(path: Path, x: Arrays, y: Arrays) -> None:
    """Write the part's arrays, ``(n, …)`` of numbers or text, one or several by name, a little compressed."""
    import numpy as np  # which who only names the file need not have

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in arrays.pack(x=x, y=y).items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def read(path: Path) -> "tuple[Any, Any]":
    """Read the arrays, of which nobody knows who wrote them.

    Raises
    ------
    ValueError
        They are not there, or no arrays of numbers or text of one length.
    """
    import numpy as np

    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            x, y = (
                arrays.unpack(file.files, lambda name: np.asarray(file[name]), what) for what in ("x", "y")
            )
    except Exception as error:  # NumPy, zip and zlib know many words for it
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    parts = [*arrays.each(x), *arrays.each(y)]
    if (
        not all(part.ndim for part in parts)
        or len({len(part) for part in parts}) != 1
        or not len(parts[0])
        or {part.dtype.kind for part in parts} - set("fiubU")
    ):
        raise ValueError(
            f"{path.name} must hold x and y of one length. Received: {' and '.join(map(_show, parts))}"
        )
    return x, y


def digest(x: Arrays, y: Arrays) -> str:
    """The sha256 of the arrays, whatever file they are in."""
    import numpy as np

    found = hashlib.sha256()
    for name, array in arrays.pack(x=x, y=y).items():
        found.update(f"{name} ".encode() if "." in name else b"")  # as it always was where there are no names
        found.update(f"{array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _show(array: "np.ndarray") -> str:
    return f"{array.dtype} {array.shape}"
