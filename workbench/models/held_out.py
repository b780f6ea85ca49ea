"""The held-out part of a job's data on its way from where the model was trained to where it is measured: ``held_out.npz``."""

import hashlib
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

FILE = "held_out.npz"
AGAIN = "held_out.again.npz"
"""What ``load_data`` gave when it was called once more."""


def write(path: Path, x: "np.ndarray", y: "np.ndarray") -> None:
    """Write the part's arrays, ``(n, …)`` of numbers or text, a little compressed."""
    import numpy as np  # which who only names the file need not have

    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, array in (("x", x), ("y", y)):
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                np.lib.format.write_array(file, np.ascontiguousarray(array), allow_pickle=False)


def read(path: Path) -> "tuple[np.ndarray, np.ndarray]":
    """Read the arrays, of which nobody knows who wrote them.

    Raises
    ------
    ValueError
        They are not there, or no two arrays of numbers or text of one length.
    """
    import numpy as np

    try:
        with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            x, y = (np.asarray(file[name]) for name in ("x", "y"))
    except Exception as error:  # NumPy, zip and zlib know many words for it
        raise ValueError(f"{path.name} cannot be read: {error}") from error
    if (
        not x.ndim
        or not y.ndim
        or not len(x)
        or len(x) != len(y)
        or {x.dtype.kind, y.dtype.kind} - set("fiubU")
    ):
        raise ValueError(f"{path.name} must hold x and y of one length. Received: {_show(x)} and {_show(y)}")
    return x, y


def digest(x: "np.ndarray", y: "np.ndarray") -> str:
    """The sha256 of both arrays, whatever file they are in."""
    import numpy as np

    found = hashlib.sha256()
    for array in (x, y):
        found.update(f"{array.dtype.str} {array.shape}\n".encode())
        found.update(np.ascontiguousarray(array).reshape(-1).view(np.uint8).data)
    return found.hexdigest()


def _show(array: "np.ndarray") -> str:
    return f"{array.dtype} {array.shape}"
