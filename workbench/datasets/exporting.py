"""A version as files that other programs read, and that can be added again: pictures, CSV, text, arrays."""

import csv
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from workbench.datasets.kept import measuring, store
from workbench.datasets.kept.values import Column, DatasetManifest, Part
from workbench.errors import BadInput, Conflict
from workbench.settings import Settings
from workbench.system import files

_DAY_S = 86_400


def export(manifest: DatasetManifest, folder: Path, settings: Settings) -> Path:
    """Write it into a new folder, in memory that does not grow with it; the folder is there whole or not at all.

    Raises
    ------
    Conflict
        There is something at the folder.
    BadInput
        There is no place for it.
    """
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        raise Conflict(f"there is something at {folder}; name a new folder")
    if not folder.parent.is_dir():
        raise BadInput(f"there is no folder {folder.parent}; make it first")
    find = measuring.Finder(settings.data / store.BLOBS)
    aside = folder.parent / f".{folder.name}.part"
    files.remove(aside)
    aside.mkdir()
    try:
        for name, part in (("train", manifest.train), ("test", manifest.test)):
            if manifest.kind == "pictures":
                _pictures(manifest, part, aside / name, find)
            elif manifest.kind in ("table", "text"):
                _table(manifest, part, aside, name, find)
            else:
                _arrays(manifest, part, aside, name, find)
        about = json.dumps(manifest.as_json(), indent=1, ensure_ascii=False)
        (aside / "about.json").write_text(about + "\n")
        if folder.exists():
            folder.rmdir()
        aside.rename(folder)
    finally:
        files.remove(aside)
    return folder


def _pictures(manifest: DatasetManifest, part: Part, folder: Path, find: measuring.Finder) -> None:
    import cv2

    target = manifest.columns.index(manifest.target) if manifest.target else None
    picture = next(n for n, column in enumerate(manifest.columns) if column.kind == "pixels")
    written = 0
    for block, _ in measuring.blocks(manifest.columns, part, find):
        for row in block:
            label = manifest.labels[int(row[f"c{target}"])] if target is not None else "all"
            place = folder / _safe(label)
            place.mkdir(parents=True, exist_ok=True)
            pixels = row[f"c{picture}"]
            if pixels.shape[-1] == 3:
                pixels = cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
            written += 1
            if not cv2.imwrite(str(place / f"{written:07}.png"), pixels):
                raise BadInput(f"{place} cannot be written")


def _table(manifest: DatasetManifest, part: Part, folder: Path, name: str, find: measuring.Finder) -> None:
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow([*(column.name for column in manifest.columns), "part"])
        for block, texts in measuring.blocks(manifest.columns, part, find):
            cells = _cells(manifest.columns, block, texts)
            writer.writerows([*row, name] for row in zip(*cells, strict=True))


def _cells(
    columns: Sequence[Column], block: np.ndarray, texts: Sequence[Sequence[str]]
) -> list[Sequence[str]]:
    of_text, found = iter(texts), list[Sequence[str]]()
    for n, column in enumerate(columns):
        if column.is_text:
            found.append(next(of_text))
            continue
        values = block[f"c{n}"]
        if column.kind == "category":
            found.append([column.categories[v] if v >= 0 else "" for v in values])
        elif column.kind == "date":
            found.append(["" if v != v else _date(v) for v in values])
        else:
            found.append(["" if v != v else np.format_float_positional(v, trim="-") for v in values])
    return found


def _arrays(manifest: DatasetManifest, part: Part, folder: Path, name: str, find: measuring.Finder) -> None:
    made = []
    for column in manifest.columns:
        dtype = np.dtype(np.int64) if column.kind == "category" else np.dtype(column.dtype)
        key = "y" if column.role == "target" else "x"
        path = folder / f"{key}_{name}.npy"
        made.append(np.lib.format.open_memmap(path, "w+", dtype, (part.examples, *column.shape)))
    at = 0
    for block, _ in measuring.blocks(manifest.columns, part, find):
        for n, array in enumerate(made):
            array[at : at + len(block)] = block[f"c{n}"]
        at += len(block)
    for array in made:
        array.flush()


def _date(days: float) -> str:
    return (
        datetime.fromtimestamp(days * _DAY_S, UTC).isoformat().replace("+00:00", "").removesuffix("T00:00:00")
    )


def _safe(label: str) -> str:
    """The label as a folder's name."""
    cleaned = "".join(c if c.isprintable() and c not in '/\\:*?"<>|' else "_" for c in label).strip(". ")
    return cleaned[:100] or "_"
