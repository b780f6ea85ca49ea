"""Data sets that were brought: ``data/sets/NAME/V/manifest.json``, and their files in ``data/blobs``, each once.

A version never changes. It is there as soon as its manifest is, which is written last; what a killed process left
is swept by the next who changes anything. Blobs are named by their content, so versions share what they have alike.
"""

import contextlib
import json
import re
import secrets
import shutil
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from workbench.datasets.kept.values import DatasetManifest, Shard
from workbench.errors import BadInput, Conflict, NotFound, Unavailable
from workbench.lineage import DatasetPin
from workbench.settings import Settings
from workbench.system import files, wire
from workbench.system.locks import locked

FILE = "manifest.json"
SETS, BLOBS = "sets", "blobs"
NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}")


def check_name(name: str) -> str:
    """Give the name back.

    Raises
    ------
    BadInput
        No data set can be called so.
    """
    if not NAME.fullmatch(name) or name.endswith("."):
        raise BadInput(
            "a data set's name has 1 to 64 letters, digits, dots, hyphens and underscores, a letter or digit first. "
            f"Received: {name[:80]!r}"
        )
    return name


def versions(settings: Settings, name: str | None = None) -> list[DatasetManifest]:
    """All versions, by name and number; only of ``name`` where one is given."""
    top = settings.data / SETS
    folders = [top / check_name(name)] if name else sorted(top.glob("*"))
    found = []
    for folder in folders:
        numbers = sorted(int(p.name) for p in folder.glob("*") if p.name.isdecimal())
        for number in numbers:
            with contextlib.suppress(FileNotFoundError):  # it was just removed
                found.append(_read(folder / str(number) / FILE))
    return found


def find(reference: str, settings: Settings) -> DatasetManifest:
    """The version that ``NAME:V`` names, or the newest one of ``NAME``.

    Raises
    ------
    BadInput
        The reference is not of that form.
    NotFound
        There is no such data set or version.
    """
    name, number = split_reference(reference)
    there = versions(settings, name)
    if not there:
        names = sorted({one.name for one in versions(settings)})
        raise NotFound(f"no data set is called {name!r}; there are: {', '.join(names) or 'none yet'}")
    if number is None:
        return there[-1]
    for one in there:
        if one.version == number:
            return one
    raise NotFound(f"{name} has no version {number}; it has {', '.join(str(one.version) for one in there)}")


def split_reference(reference: str) -> tuple[str, int | None]:
    """Name and number in ``NAME[:V]``; raises ``BadInput``."""
    name, colon, number = reference.partition(":")
    if colon and not re.fullmatch(r"[1-9][0-9]{0,8}", number):
        raise BadInput(f"name a data set as NAME or NAME:VERSION. Received: {reference[:80]!r}")
    return check_name(name), int(number) if colon else None


def pinned(name: str, pin: DatasetPin, settings: Settings) -> DatasetManifest:
    """The very version that was pinned; raises ``NotFound`` or ``Conflict``."""
    found = find(f"{name}:{pin.version}", settings)
    if found.sha256 != pin.sha256:
        raise Conflict(
            f"{found} is not what the job was submitted with: sha256 {found.sha256[:12]}…, not {pin.sha256[:12]}…"
        )
    return found


def blob(shard: Shard, settings: Settings) -> Path:
    """Where a file of examples lies."""
    return settings.data / BLOBS / shard.sha256[:2] / shard.sha256


@contextmanager
def aside(settings: Settings) -> Iterator[Path]:
    """A folder to write a new version's files into; gone at the end, also if the process is killed (by the next one)."""
    top = settings.data / SETS
    top.mkdir(parents=True, exist_ok=True)
    for folder in (settings.data, top):
        folder.chmod(folder.stat().st_mode | 0o055)  # machines run as another user
    with locked(top / ".lock"):
        _sweep(settings)
        folder = top / f".new-{secrets.token_hex(6)}"
        folder.mkdir()
        held = contextlib.ExitStack()
        held.enter_context(locked(folder / ".lock"))
    with held:
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def publish(made: DatasetManifest, folder: Path, settings: Settings) -> DatasetManifest:
    """Make a version of the files in ``folder``, each called by its sha256; the next number of its name.

    Where the newest version is the very same, that one is given.
    """
    home = settings.data / SETS / check_name(made.name)
    with locked(settings.data / SETS / ".lock"):
        there = versions(settings, made.name)
        if there and there[-1].sha256 == made.sha256:
            return there[-1]
        for shard in made.shards:
            place = blob(shard, settings)
            place.parent.mkdir(parents=True, exist_ok=True)
            for level in (place.parent, place.parent.parent):
                level.chmod(0o755)
            new = folder / shard.sha256
            if new.exists() and not (place.exists() and place.stat().st_size == shard.bytes):
                new.chmod(0o444)
                new.replace(place)
            elif not place.exists():
                raise Unavailable(
                    f"{made.name}: its file {shard.sha256[:12]}… is gone; add the data set again"
                )
        number = max([one.version for one in there] + [_highest(home)], default=0) + 1
        final = replace(made, version=number)
        home.mkdir(exist_ok=True)
        home.chmod(0o755)
        new_folder = folder / "version"
        new_folder.mkdir()
        files.write_json(new_folder / FILE, wire.pack(final), indent=1, mode=0o444, synced=True)
        new_folder.chmod(0o755)
        files.write(home / ".highest", str(number))
        new_folder.rename(home / str(number))
    return final


def remove(reference: str, used_by: Collection[str], settings: Settings) -> DatasetManifest:
    """Remove one version and give its disk back, as far as no other version shares it.

    Parameters
    ----------
    used_by
        Models and jobs that name it.

    Raises
    ------
    Conflict
        Some do.
    """
    name, number = split_reference(reference)
    if number is None:
        there = ", ".join(map(str, versions(settings, name))) or "none"
        raise BadInput(f"say which version is to be removed: {name}:VERSION; there are: {there}")
    found = find(reference, settings)
    if used_by:
        raise Conflict(
            f"{found} stays: {', '.join(sorted(used_by)[:5])}{' …' if len(used_by) > 5 else ''} "
            f"{'was' if len(used_by) == 1 else 'were'} made of it; a model's data set is part of what is known of it"
        )
    home = settings.data / SETS / name
    with locked(settings.data / SETS / ".lock"):
        files.withdraw(home / str(number))
        _sweep(settings)
    return found


def _sweep(settings: Settings) -> None:
    """Remove what no version needs and nobody is writing; only for who holds the lock."""
    top = settings.data / SETS
    busy = False
    for name in top.glob("[!.]*"):
        for left in files.left_beside(name):  # written under the lock alone, which we hold
            left.unlink(missing_ok=True)
    for left in [*top.glob(".new-*"), *top.glob("*/.gone-*")]:
        try:
            with locked(left / ".lock", 0) if left.name.startswith(".new-") else contextlib.nullcontext():
                shutil.rmtree(left, ignore_errors=True)
        except TimeoutError:
            busy = True
        except FileNotFoundError:
            continue
    if busy:  # a version under way may share blobs that no finished one names
        return
    needed = {shard.sha256 for one in versions(settings) for shard in one.shards}
    for path in (settings.data / BLOBS).glob("*/*"):
        if path.name not in needed:
            path.unlink(missing_ok=True)


def _highest(home: Path) -> int:
    """The highest number that was ever given, so that none is given twice."""
    try:
        return int((home / ".highest").read_text())
    except (OSError, ValueError):
        return 0


def _read(path: Path) -> DatasetManifest:
    try:
        return wire.unpack(DatasetManifest, json.loads(path.read_text()))
    except ValueError as error:
        raise Unavailable(
            f"{path} cannot be read ({error}); remove its folder and add the data set again"
        ) from error
