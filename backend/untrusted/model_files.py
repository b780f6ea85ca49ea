"""Untrusted models on the disk: known by their SHA-256, unpacked within limits, kept by use.

A folder a model, ``strangers/SHA256/``: ``model/`` is what its server sees, ``form.json`` says what it is.
"""

import hashlib
import json
import os
import shutil
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from backend.deployments.manifests import check_manifest, complete
from backend.untrusted import external_data, forms
from workbench import artifact
from workbench.errors import ModelRefused
from workbench.manifest import FILE as MANIFEST
from workbench.manifest import File, Manifest
from workbench.system import files

KEPT = 6
"""Models on the disk."""
MAX_BYTES = 1024**3
STALE_S = 3600.0
LABELS = "labels.txt"


@dataclass(frozen=True)
class ModelFile:
    """A model that can be started."""

    sha256: str
    folder: Path
    form: str
    """``saved_model``, ``keras`` or ``onnx``."""
    path: str
    """Of the file or folder to load, in ``model/``; a SavedModel's is ``served/1``."""
    manifest: Manifest | None
    """Of an artifact of ours."""
    labels: tuple[str, ...] = ()
    """Of the ``labels.txt`` that came with it."""


@dataclass(frozen=True)
class _Found:
    """A model as a file held it, before it has its folder."""

    form: str
    path: str
    manifest: Manifest | None = None
    labels: tuple[str, ...] = ()

    def as_json(self) -> dict[str, object]:
        return vars(self) | {"manifest": self.manifest and self.manifest.as_json()}


class ModelFiles:
    """The folder of untrusted models; all methods may be called from many threads and processes."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "strangers"

    @contextmanager
    def receiving(self) -> Iterator[Path]:
        """Make room for a file that is to be kept; removed at the end."""
        with files.folder_aside(self.folder / ".incoming", stale_s=STALE_S, mode=0o700) as aside:
            yield aside / "file"

    def sweep(self) -> None:
        """Remove what killed processes left on its way in; when the server starts."""
        files.sweep(self.folder / ".incoming")
        self.folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.folder, self.folder.parent):
            folder.chmod(0o711)  # the users that models run as go through to their own

    def find(self, sha256: str) -> ModelFile | None:
        """Find the model with this checksum, if it is here; its use is noted."""
        folder = self.folder / sha256
        try:
            told = json.loads((folder / "form.json").read_text())
            os.utime(folder / "form.json")
        except (FileNotFoundError, NotADirectoryError, ValueError):
            return None
        manifest, labels = told.pop("manifest"), tuple(told.pop("labels", ()))
        return ModelFile(folder=folder, manifest=manifest and Manifest.parse(manifest), labels=labels, **told)

    def keep(self, file: Path) -> ModelFile:
        """Check and unpack a file, unless it is here already.

        Raises
        ------
        ModelRefused
            It is no model of a form known here, or a hostile zip.
        """
        sha256 = File.of(file).sha256
        if found := self.find(sha256):
            return found
        aside = file.with_name("kept")
        return self._settle(aside, sha256, _place(file, aside / "model"))

    def _settle(self, aside: Path, sha256: str, placed: _Found) -> ModelFile:
        """Give a model that was unpacked aside its place, and let the least used ones go."""
        for path in (aside, *aside.rglob("*")):
            path.chmod(0o755 if path.is_dir() else 0o644)  # its server runs as another user
        (aside / "form.json").write_text(json.dumps({"sha256": sha256, **placed.as_json()}))
        files.publish(aside, self.folder / sha256)
        self._forget_all_but(KEPT)
        found = self.find(sha256)
        if found is None:
            raise ModelRefused("the model was pushed out by others at once; send it again")
        return found

    def keep_version(self, version: Path, manifest: Manifest) -> ModelFile:
        """Keep the SavedModel of one of our own versions, known by its files' checksums."""
        parts = {k: vars(v) for k, v in manifest.files.items() if k.startswith("saved_model/")}
        sha256 = hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()
        if found := self.find(sha256):
            return found
        with self.receiving() as path:
            aside = path.with_name("kept")
            shutil.copytree(version / "saved_model", aside / "model" / "served" / "1")
            return self._settle(aside, sha256, _Found("saved_model", "served/1", manifest))

    def by_use(self) -> list[Path]:
        """List the models' folders, the most recently used first."""
        found = []
        for path in self.folder.glob("*/form.json"):
            try:
                found.append((path.stat().st_mtime, path.parent))
            except FileNotFoundError:
                continue
        return [folder for _, folder in sorted(found, reverse=True)]

    def _forget_all_but(self, kept: int) -> None:
        for folder in self.by_use()[kept:]:
            (folder / "socket").unlink(missing_ok=True)  # its server ends
            files.withdraw(folder)


def _place(file: Path, model: Path) -> _Found:
    """Put what the file holds into the folder."""
    if forms.check_file(file) == "onnx":
        external_data.beside(file)
        return _one(file, model, "onnx", "model.onnx")
    if {"config.json", "metadata.json"} <= _names(file):
        artifact.unpack(file, model.with_name("tried"), max_bytes=MAX_BYTES)  # Keras itself has no limits
        shutil.rmtree(model.with_name("tried"))
        return _one(file, model, "keras", "model.keras")
    unpacked = model.with_name("unpacked")
    artifact.unpack(file, unpacked, max_bytes=MAX_BYTES)
    try:
        return _find(unpacked, model)
    finally:
        shutil.rmtree(unpacked, ignore_errors=True)


def _one(file: Path, model: Path, form: str, name: str, manifest: Manifest | None = None) -> _Found:
    model.mkdir(parents=True)
    shutil.copyfile(file, model / name)
    return _Found(form, name, manifest)


def _names(file: Path) -> set[str]:
    try:
        with zipfile.ZipFile(file) as archive:
            return {name.replace("\\", "/") for name in archive.namelist()}
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError) as error:
        raise ModelRefused(f"not a zip that can be read: {error}") from error


def _find(unpacked: Path, model: Path) -> _Found:
    """Find the model in an unpacked zip, at any depth."""
    manifest = None
    for path in sorted(unpacked.rglob(MANIFEST), key=lambda p: len(p.parts))[:1]:
        if (path.parent / "model.onnx").exists() or (path.parent / "saved_model").exists():
            manifest, unpacked = artifact.verify(path.parent), path.parent
            check_manifest(manifest)
            manifest = complete(manifest, path.parent)
    for pattern, form in (("*.onnx", "onnx"), ("saved_model.pb", "saved_model"), ("*.keras", "keras")):
        found = [path for path in sorted(unpacked.rglob(pattern)) if path.is_file()]
        if manifest is None and len(found) > 1:
            places = ", ".join(path.relative_to(unpacked).as_posix() for path in found[:4])
            raise ModelRefused(f"the zip holds several models ({places}); put one into it")
        if found:
            labels = _labels_beside(found[0], unpacked)
            return replace(_move(found[0], model, form), manifest=manifest, labels=labels)
    raise forms.no_model(
        path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*") if path.is_file()
    )


def _move(found: Path, model: Path, form: str) -> _Found:
    """Move a model, with the files that it needs beside it, out of what was unpacked."""
    if form == "saved_model":
        (model / "served").mkdir(parents=True)
        found.parent.rename(model / "served" / "1")
        return _Found(form, "served/1")
    if form == "keras":
        return _one(found, model, form, "model.keras")
    for path in (found, *external_data.beside(found)):  # under their own names, by which the model knows them
        place = model / path.relative_to(found.parent)
        place.parent.mkdir(parents=True, exist_ok=True)
        path.rename(place)
    return _Found(form, found.name)


def _labels_beside(found: Path, unpacked: Path) -> tuple[str, ...]:
    """The labels in the model's own folder, or in the nearest above it."""
    for folder in (found.parent, *found.parent.parents):
        for path in sorted(folder.iterdir()):
            if path.name.lower() == LABELS and path.is_file():
                return forms.read_labels(path)
        if folder == unpacked:
            break
    return ()
