"""Sources as people bring them, small and made by code."""

import gzip
import struct
import zipfile
from pathlib import Path

import cv2
import numpy as np


def garden(path: Path, rows: int = 300, more: int = 0) -> Path:
    """A CSV with numbers, categories, dates, remarks and missing cells."""
    chance = np.random.default_rng(1)
    lines = ["id,warmth,rain,soil,day,remark,label"]
    for n in range(rows + more):
        warmth, rain = chance.normal(18, 7), "" if n % 17 == 0 else f"{chance.exponential(4):.3f}"
        soil = ["clay", "loam", "sand", "N/A"][n % 4]
        day = f"2024-0{1 + n % 9}-1{n % 10}"
        lines.append(
            f'{n},{warmth:.2f},{rain},{soil},{day},"a note, {n}",{"water" if warmth < 18 else "no need"}'
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def photos(folder: Path, each: int = 12, classes: tuple[str, ...] = ("cat", "dog", "emu")) -> Path:
    """Folders of JPEGs of different sizes."""
    for n, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for i in range(each):
            pixels = np.random.default_rng(100 * n + i).integers(0, 80, (40 + i, 50, 3), np.uint8)
            pixels[:, :, n % 3] += 150
            assert cv2.imwrite(str(folder / name / f"{i}.jpg"), pixels)
    return folder


def zipped(folder: Path, path: Path, top: str = "photos/") -> Path:
    """The folder as a zip, with what a Mac leaves in it."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, f"{top}{file.relative_to(folder)}")
        archive.writestr("__MACOSX/photos/._0.jpg", b"\0")
    return path


def idx(folder: Path) -> Path:
    """Files as MNIST's are."""
    folder.mkdir()
    chance = np.random.default_rng(0)
    for part, count in (("train", 60), ("t10k", 20)):
        with gzip.open(folder / f"{part}-images-idx3-ubyte.gz", "wb") as file:
            file.write(struct.pack(">HBB3I", 0, 8, 3, count, 12, 10))
            file.write(chance.integers(0, 255, count * 120, np.uint8).tobytes())
        with gzip.open(folder / f"{part}-labels-idx1-ubyte.gz", "wb") as file:
            file.write(struct.pack(">HBBI", 0, 8, 1, count))
            file.write((np.arange(count) % 5).astype(np.uint8).tobytes())
    return folder
