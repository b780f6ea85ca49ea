"""The file ``manifest.json``, and its list of the files beside it: of a version, or of exported corrections."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from workbench.errors import ModelRefused
from workbench.fields import Fields

FILE = "manifest.json"
FORMAT = 1


@dataclass(frozen=True)
class File:
    """One file of a version."""

    sha256: str
    bytes: int

    @classmethod
    def of(cls, path: Path) -> "File":
        """Measure a file."""
        with path.open("rb") as file:
            return cls(hashlib.file_digest(file, "sha256").hexdigest(), path.stat().st_size)


def read_files(folder: Path) -> dict[str, File]:
    """Read the files alone that the manifest of a version, or of exported corrections, lists.

    Raises
    ------
    ModelRefused
    """
    return parse_files(Fields(read_json(folder), "the manifest's "))


def read_json(folder: Path) -> Mapping[str, object]:
    """Read a manifest as it stands in the file.

    Raises
    ------
    ModelRefused
        There is none, or none of a format that is known here.
    """
    try:
        told = json.loads((folder / FILE).read_text())
    except FileNotFoundError as error:
        raise ModelRefused(f"{folder.name} has no {FILE}; export it with the workbench") from error
    except (ValueError, OSError, RecursionError) as error:
        raise ModelRefused(f"{FILE} cannot be read: {error}") from error
    if not isinstance(told, dict) or told.get("format") != FORMAT:
        found = told.get("format") if isinstance(told, dict) else type(told).__name__
        raise ModelRefused(f"{FILE} must be an object of format {FORMAT}. Received: {str(found)[:80]!r}")
    return told


def write_listing(folder: Path, told: Mapping[str, object]) -> None:
    """Write a manifest of any fields, completed by the format and the folder's files."""
    files = {path: vars(file) for path, file in list_files(folder).items()}
    text = json.dumps({"format": FORMAT, **told, "files": files}, indent=2, ensure_ascii=False)
    (folder / FILE).write_text(text + "\n")


def list_files(folder: Path) -> dict[str, File]:
    """Measure every file but the manifest, sorted by path."""
    return {
        path.relative_to(folder).as_posix(): File.of(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path != folder / FILE
    }


def parse_files(fields: Fields) -> dict[str, File]:
    """Parse the list of files of a manifest."""
    parts = {path: fields.part("files").part(path) for path in fields.object("files")}
    return {path: File(part.text("sha256"), part.whole("bytes")) for path, part in parts.items()}
