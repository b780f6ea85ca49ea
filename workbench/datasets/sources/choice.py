"""Tell what a source is by what is in it, and open the reader for that."""

from collections.abc import Sequence
from pathlib import Path

from workbench.datasets.kept.blocks import TEST, TRAIN
from workbench.datasets.sources import arrays, pictures, unpacking
from workbench.datasets.sources.arrays import Arrays
from workbench.datasets.sources.base import How, Source, part_named
from workbench.datasets.sources.lines import CsvLines, JoinedLines, ParquetLines
from workbench.datasets.sources.pictures import Pictures
from workbench.datasets.sources.tables import Table
from workbench.datasets.sources.texts import Texts
from workbench.errors import BadInput, NotFound

TABLES = (".csv", ".tsv", ".txt", ".csv.gz", ".tsv.gz", ".tab", ".data")
_TAKEN = "a folder or zip of pictures or texts by class, .csv, .tsv, .parquet, .npz, .npy, IDX"

LOOKED_INTO = 100
"""Files that are opened to see whether they are pictures, where no name says so."""


def open_source(path: Path, how: How, aside: Path) -> Source:
    """The reader of a source.

    Parameters
    ----------
    aside
        An empty folder, for what a zip holds.

    Raises
    ------
    NotFound
        There is nothing at the path.
    BadInput
        It is nothing that can be read.
    """
    if not path.exists():
        raise NotFound(f"there is nothing at {path}; give {_TAKEN}")
    if path.is_dir():
        return _folder(path, how)
    if not path.is_file():
        raise BadInput(f"{path} is neither a file nor a folder; give {_TAKEN}")
    name = path.name.lower()
    with path.open("rb") as file:
        first = file.read(8)
    if first[:4] == b"PK\x03\x04" and not name.endswith(".npz"):
        unpacking.unpack(path, aside)
        return _folder(aside, how)
    if first[:4] == b"PAR1":
        return Table(ParquetLines(path), path.name, how)
    if name.endswith(".npz"):
        return Arrays(arrays.read_npz(path), path.name, how)
    if name.endswith(".npy"):
        raise BadInput(f"{path.name} is one array; give a folder with x.npy and y.npy, or an .npz with both")
    if name.endswith(TABLES):
        return Table(CsvLines(path, how.header), path.name, how)
    raise BadInput(f"{path.name} is nothing that is read here (it begins with {first!r}); give {_TAKEN}")


def _folder(folder: Path, how: How) -> Source:
    top = pictures.inside(folder)
    files = [
        p for p in sorted(top.rglob("*")) if p.is_file() and not p.is_symlink() and not p.name.startswith(".")
    ]
    idx = {p.name: p for p in files if _is_idx(p)}
    if idx:
        return Arrays({name: arrays.read_idx(path) for name, path in idx.items()}, folder.name, how)
    ends = [p.suffix.lower() for p in files]
    if how.kind == "pictures" or _holds_pictures(files):
        return Pictures(folder, how)
    if ".npy" in ends:
        stored = {p.stem: arrays.read_npy(p) for p in files if p.suffix.lower() == ".npy"}
        return Arrays(stored, folder.name, how)
    tables = [p for p in files if p.name.lower().endswith((".csv", ".tsv", ".csv.gz", ".parquet"))]
    if len(tables) == 1:
        return Table(_lines(tables[0], how), tables[0].name, how)
    parts = {p.name.partition(".")[0]: p for p in tables}
    if sorted(part_named(name) or 0 for name in parts) == [TRAIN, TEST] and len(tables) == 2:
        return Table(JoinedLines([(name, _lines(p, how)) for name, p in parts.items()]), folder.name, how)
    npz = [p for p in files if p.suffix.lower() == ".npz"]
    if len(npz) == 1:
        return Arrays(arrays.read_npz(npz[0]), npz[0].name, how)
    if ".txt" in ends:
        return Texts(folder, how)
    found = ", ".join(sorted({end or "no ending" for end in ends})[:8]) or "no file"
    raise BadInput(f"{folder.name} holds nothing that is read here ({found}); give {_TAKEN}")


def _lines(path: Path, how: How) -> CsvLines | ParquetLines:
    return ParquetLines(path) if path.suffix.lower() == ".parquet" else CsvLines(path, how.header)


def _holds_pictures(files: Sequence[Path]) -> bool:
    named = any(path.suffix.lower() in pictures.ENDINGS for path in files)
    return named or any(map(pictures.is_picture, files[:LOOKED_INTO]))


def _is_idx(path: Path) -> bool:
    name = path.name.lower().removesuffix(".gz")
    return name.endswith(("ubyte", ".idx")) or "-idx" in name
