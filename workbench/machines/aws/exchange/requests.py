"""A job's request on its way to the machines: ``job.json``, the recipe, and the data that it names."""

import io
import json
import os
import re
import stat
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from workbench import packages
from workbench.aws.bucket import Bucket
from workbench.errors import BadInput, Unavailable
from workbench.fields import Fields
from workbench.lineage import DatasetPin

MAX_JOB_BYTES = 128 * 1024 * 1024
"""Of a job's request: 50 MB beside its recipe, and what it goes on from."""
TRAVELLING = ("corrections", "parents")
"""Folders of a home's data, and of a request in which they travel: exported corrections, and models to go on from."""
PACKAGES = "packages.lock"
DATA = "clusters/_data/"
"""Data sets, for all clusters."""


def give(
    bucket: Bucket,
    prefix: str,
    folder: Path,
    addresses: Mapping[str, Sequence[str]],
    data: Path,
    locks: Path | None = None,
) -> None:
    """Put the job's request there: ``job.json`` with its machines' addresses, and the recipe, byte for byte.

    With it goes what the recipe names: visitors' corrections, as far as they were exported to ``data``, and the models
    that it goes on from; and of the packages that it needs the lock, by which each machine installs them.

    Raises
    ------
    BadInput
        They are more than half of :data:`MAX_JOB_BYTES`.
    """
    named = _named(data, _text(folder / "recipe"))
    if (size := sum(path.stat().st_size for path in named)) > MAX_JOB_BYTES // 2:
        raise BadInput(
            f"the exported corrections and models to go on from are {size:,} bytes, more than travel with a job "
            f"({MAX_JOB_BYTES // 2:,}): remove old versions from {data / TRAVELLING[0]}"
        )
    packed = io.BytesIO()
    job = {**json.loads((folder / "job.json").read_text()), "cluster": addresses}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("job.json", json.dumps(job))
        for path in _files_of(folder / "recipe"):
            archive.write(path, path.relative_to(folder).as_posix())
        for path in named:
            archive.write(path, path.relative_to(data).as_posix())
        if locks is not None and (needed := job.get("packages")):
            archive.write(packages.lock_file(str(needed), locks), PACKAGES)
    bucket.put(f"{prefix}job.zip", packed.getvalue())


def take(bucket: Bucket, prefix: str, folder: Path) -> None:
    """Write the job's request into a machine's folder, in the place of one that was there."""
    content = bucket.get(f"{prefix}job.zip")
    if content is None:
        raise LookupError(f"{prefix}job.zip is not in the bucket {bucket.name}")
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        if sum(info.file_size for info in archive.infolist()) > MAX_JOB_BYTES:
            raise ValueError(f"{prefix}job.zip is too large")
        archive.extractall(folder)


def give_data(
    bucket: Bucket, folder: Path, recipe: Path, pinned: Mapping[str, DatasetPin] | None = None
) -> tuple[str, ...]:
    """Put the data sets that the recipe names there, unless they are; the names of their files.

    With any of ours goes what was learned from them of drawings that are no digits.

    Parameters
    ----------
    pinned
        The versions of data sets that were brought: their files are named by their content, so each travels once.
    """
    text = _text(recipe)
    wanted = [path.name for path in sorted(folder.glob("*.npz")) if path.stem.encode() in text]
    wanted += sorted(path.name for path in folder.glob("doubt-*.json")) if wanted else []
    for reference, pin in sorted((pinned or {}).items()):
        wanted += [one for one in _kept(folder, reference.partition(":")[0], pin) if one not in wanted]
    there = {stored.key: stored.size for stored in bucket.list(DATA)} if wanted else {}
    for one in wanted:
        if there.get(f"{DATA}{one}") != (folder / one).stat().st_size:
            bucket.put(f"{DATA}{one}", (folder / one).resolve())
    return tuple(wanted)


def _kept(folder: Path, name: str, pin: DatasetPin) -> list[str]:
    """The files of a version of a data set, its manifest last: where that is, all are."""
    if not re.fullmatch(r"\w[\w.-]*", name, re.ASCII):  # the job's folder is its machines' to write
        raise Unavailable(f"no data set is called {name[:80]!r}")
    said = f"sets/{name}/{pin.version}/manifest.json"
    try:
        told = Fields(json.loads((folder / said).read_text()), f"{said}: ", Unavailable)
    except (OSError, ValueError) as error:
        raise Unavailable(f"the data set {name}:{pin.version} cannot be read: {error}") from error
    shards = [shard.text("sha256") for part in ("train", "test") for shard in told.part(part).parts("shards")]
    if wrong := [one for one in shards if not re.fullmatch(r"[0-9a-f]{64}", one)]:
        raise Unavailable(f"the data set {name}:{pin.version} is damaged: {wrong[0][:80]!r} names no file")
    return [*(f"blobs/{sha256[:2]}/{sha256}" for sha256 in dict.fromkeys(shards)), said]


def _named(data: Path, recipe: bytes) -> list[Path]:
    corrections, parents = TRAVELLING
    found = sorted(data.glob(f"{corrections}/[0-9]*/*")) if corrections.encode() in recipe else []
    return found + [path for path in sorted(data.glob(f"{parents}/*.keras")) if path.stem.encode() in recipe]


def _text(recipe: Path) -> bytes:
    return b"".join(path.read_bytes() for path in _files_of(recipe) if path.suffix == ".py")


def _files_of(recipe: Path) -> list[Path]:
    """The plain files of the recipe, and those beside its code; no link is followed, for its code has run here."""
    found = [Path(root, name) for root, _, names in os.walk(recipe) for name in names]
    plain = [path for path in found if stat.S_ISREG(path.lstat().st_mode) and "__pycache__" not in path.parts]
    if (size := sum(path.stat().st_size for path in plain)) > MAX_JOB_BYTES:
        raise BadInput(f"the recipe and the files beside it are {size:,} bytes, more than {MAX_JOB_BYTES:,}")
    return sorted(plain)
