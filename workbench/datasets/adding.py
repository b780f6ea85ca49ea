"""A source becomes the next version of a data set: read, split, compared, measured, published whole or not at all."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from workbench.datasets.kept import measuring, store, writing
from workbench.datasets.kept.former import Former
from workbench.datasets.kept.values import DatasetManifest
from workbench.datasets.sources import How, open_source
from workbench.errors import BadInput, Full, Unavailable
from workbench.settings import Settings
from workbench.system import extras

BUILT_IN = ("mnist", "fashion-mnist", "pen-strokes", "corrections")
"""Names that are taken."""


def add(
    name: str,
    path: Path,
    how: How,
    settings: Settings,
    *,
    source: str | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> DatasetManifest:
    """Add a version of what lies at a path; the same examples again give the version that is there.

    Parameters
    ----------
    source
        How the source is called in the manifest, where that is not its path.
    say
        Told now and then what is under way.

    Raises
    ------
    BadInput, NotFound
        The name or the source cannot be used; nothing is kept of it.
    Full
        The disk is; nothing is kept.
    """
    store.check_name(name)
    if name.lower() in BUILT_IN:
        raise BadInput(f"{name} is a data set of the workbench's own; choose another name")
    if not extras.is_installed("data"):
        raise Unavailable(f"data sets cannot be added here: {extras.install('data')}")
    if not 0 < how.split.share < 1:
        raise BadInput(f"the share of the test part lies between 0 and 1. Received: {how.split.share}")
    try:
        with store.aside(settings) as folder:
            return _add(name, path, how, settings, folder, source or str(path), say)
    except OSError as error:
        if error.errno == 28:
            raise Full(f"the disk became full while {name} was added; nothing was kept") from error
        lost = Path(error.filename) if isinstance(error.filename, str) else None
        if lost is not None and lost.absolute().is_relative_to(path.absolute()):
            said = f"{lost} cannot be read: {error.strerror}; nothing was kept of {name}"
            raise BadInput(f"{said}. Try again once nobody changes what is in {path}") from error
        raise


def _add(
    name: str,
    path: Path,
    how: How,
    settings: Settings,
    folder: Path,
    source: str,
    say: Callable[[str], None],
) -> DatasetManifest:
    (unpacked := folder / "unpacked").mkdir()
    (made := folder / "made").mkdir()
    say(f"{name}: looking through {path.name}")
    opened = open_source(path, how, unpacked)
    found = opened.describe()
    there = store.versions(settings, name)
    former = Former(there[-1] if there else None, found.columns, settings)
    say(f"{name}: reading {found.kind}")
    written = writing.write(
        opened.blocks(),
        found.columns,
        found.split,
        made,
        expected_bytes=found.expected_bytes,
        former=former,
        classes=len(found.labels),
    )
    say(f"{name}: measuring {written.train.examples + written.test.examples:,} examples")
    columns = measuring.measure(
        found.columns, written.train, written.test, measuring.Finder(made, settings.data / store.BLOBS)
    )
    manifest = DatasetManifest(
        name=name,
        version=0,
        created=datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        kind=found.kind,
        columns=columns,
        train=written.train,
        test=written.test,
        labels=found.labels,
        split=written.split,
        duplicates=written.duplicates,
        source=source,
        licence=how.licence,
        notes=(*found.notes, *opened.notes()),
    )
    return store.publish(replace(manifest, sha256=manifest.digest()), made, settings)
