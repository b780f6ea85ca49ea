"""Published model versions: ``WORKBENCH_HOME/models/NAME/V``, immutable, counted up, checked by checksum."""

import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from workbench import artifact, manifest
from workbench.errors import BadInput, ModelRefused, NotFound
from workbench.lineage import CorrectedPart
from workbench.manifest import Manifest
from workbench.settings import Settings
from workbench.system import files, scratch
from workbench.system.locks import locked

_NUMBER = re.compile("[1-9][0-9]{0,8}", re.ASCII)


@dataclass(frozen=True)
class Version:
    """One published version."""

    name: str
    version: int
    folder: Path
    manifest: Manifest

    def __str__(self) -> str:
        return f"{self.name}:{self.version}"


@dataclass(frozen=True)
class Damaged:
    """A version whose manifest cannot be believed: it is named, and left out of everything else."""

    name: str
    version: int
    folder: Path
    why: str

    def __str__(self) -> str:
        return f"{self.name}:{self.version} is damaged and left out: {self.why}"


def add(name: str, write: Callable[[Path], Manifest], settings: Settings) -> Version:
    """Publish what ``write`` puts into a folder as the next version; it gives the manifest but for name, number,
    time and files.

    The folder is made aside and renamed at the end: a version is there whole or not at all.
    """
    home = settings.models / artifact.check_name(name)
    with scratch.folder(home) as aside:
        made = write(aside)
        with locked(home / ".lock"):
            there, number = versions(settings, name), next_number(name, settings)
            if there and made.corrections:
                made = replace(made, corrections=_compared(made, _before(made, there)))
            created = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            manifest.write(aside, replace(made, name=name, version=number, created=created))
            artifact.verify(aside)
            for path in aside.rglob("*"):
                if path.is_file():
                    path.chmod(0o444)
            aside.rename(home / str(number))
    return find(f"{name}:{number}", settings)


def add_copy(version: Version, name: str, settings: Settings) -> Version:
    """Publish a version once more, as the next one of another model; the files are shared, not copied, where they can be."""

    def write(aside: Path) -> Manifest:
        artifact.verify(version.folder)
        shutil.copytree(
            version.folder,
            aside,
            copy_function=_share,
            ignore=shutil.ignore_patterns(manifest.FILE),
            dirs_exist_ok=True,
        )
        return version.manifest

    return add(name, write, settings)


def _share(source: str, destination: str) -> None:
    """Give a file that never changes a second name; copy it where the disk has no such names."""
    try:
        os.link(source, destination)
    except OSError:
        shutil.copyfile(source, destination)


def versions(settings: Settings, name: str | None = None) -> list[Version]:
    """All versions, by name and number, but for damaged ones; only of ``name`` where one is given."""
    return [found for found in _look(settings, name) if isinstance(found, Version)]


def damaged(settings: Settings, name: str | None = None) -> list[Damaged]:
    """The versions that :func:`versions` leaves out."""
    return [found for found in _look(settings, name) if isinstance(found, Damaged)]


def next_number(name: str, settings: Settings) -> int:
    """The number that the next version of the name gets: above all that are there, damaged ones too."""
    return max((number for _, number, _ in _folders(settings, name)), default=0) + 1


def _look(settings: Settings, name: str | None) -> Iterator[Version | Damaged]:
    for one, number, folder in _folders(settings, name):
        if not (folder / manifest.FILE).exists():
            continue
        try:
            told = manifest.read(folder)
        except ModelRefused as error:
            yield Damaged(one, number, folder, str(error))
            continue
        if (told.name, told.version) == (one, number):
            yield Version(one, number, folder, told)
        else:
            yield Damaged(one, number, folder, f"its {manifest.FILE} is of {str(told)[:80]!r}")


def _folders(settings: Settings, name: str | None) -> list[tuple[str, int, Path]]:
    """Name, number and folder of all versions, in this order."""
    pattern = f"{artifact.check_name(name) if name else '*'}/*"
    found = [
        (path.parent.name, int(path.name), path)
        for path in settings.models.glob(pattern)
        if _NUMBER.fullmatch(path.name)
    ]
    return sorted(found)


def find(reference: str, settings: Settings) -> Version:
    """The version that ``NAME:V`` names, or the newest one of ``NAME``.

    Raises
    ------
    BadInput
        The reference is not of that form.
    NotFound
        There is no such model or version.
    ModelRefused
        It is damaged.
    """
    match = re.fullmatch(rf"([^:]+)(?::({_NUMBER.pattern}))?", reference)
    if match is None:
        raise BadInput(f"name a model as NAME or NAME:VERSION. Received: {reference!r}")
    name, number = match.groups()
    there = versions(settings, name)
    for one in damaged(settings, name):
        if number == str(one.version) or not there:
            raise ModelRefused(f"{one}; publish it again, or remove {one.folder}")
    if not there:
        names = sorted({version.name for version in versions(settings)})
        raise NotFound(f"no model is called {name!r}; there are: {', '.join(names) or 'none yet'}")
    if number is None:
        return there[-1]
    for version in there:
        if version.version == int(number):
            return version
    raise NotFound(f"{name} has no version {number}; it has {', '.join(str(v.version) for v in there)}")


def download(version: Version, destination: Path) -> Path:
    """Write the version as a zip; the destination has it whole or is left as it was."""
    artifact.verify(version.folder)
    with files.replacing(destination) as aside:
        artifact.pack(version.folder, aside)
    return destination


def _before(made: Manifest, there: list[Version]) -> Version:
    """The version that a retraining went on from, else the newest one."""
    parent = made.parent
    same = [v for v in there if parent and (v.name, v.version) == (parent.name, parent.version)]
    return same[0] if same else there[-1]


def _compared(made: Manifest, before: Version) -> CorrectedPart | None:
    """The corrections that a retraining used, with the held-out figures of the version that it replaces."""
    return made.corrections and replace(
        made.corrections,
        replaced=before.version,
        metrics_before=before.manifest.metrics,
        metrics_after=made.metrics,
    )


def bring(packed: Path, reference: str, settings: Settings) -> Version:
    """Have a version again that was published before and kept elsewhere, under the number that it had.

    Raises
    ------
    ModelRefused
        The zip is damaged, or holds another version.
    """
    name, _, number = reference.rpartition(":")
    home = settings.models / artifact.check_name(name)
    with scratch.folder(home) as folder:
        aside = folder / "version"
        artifact.unpack(packed, aside)
        told = artifact.verify(aside)
        if f"{told.name}:{told.version}" != reference:
            raise ModelRefused(f"what was kept as {reference} is {str(told)[:80]}")
        for path in aside.rglob("*"):
            if path.is_file():
                path.chmod(0o444)
        with locked(home / ".lock"):
            if not (home / number).exists():
                aside.rename(home / number)
    return find(reference, settings)
