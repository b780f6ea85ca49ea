"""A job's folder through the bucket: the request goes to the machines, what they report, keep and leave comes back.

What grows (``events.jsonl``, the logs) is a *stream*: parts named by the offset at which they begin, of which only the
last one still changes. What is written whole (checkpoints, the export) goes as it is. On a machine everything here is
read as a user's code left it, so nothing follows a link.
"""

import contextlib
import io
import json
import os
import stat
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from workbench.aws.bucket import Bucket, Stored
from workbench.aws.refusals import AwsFailure, said
from workbench.errors import BadInput
from workbench.machines import Place, machine_folder
from workbench.system import files

STREAMS = ("events.jsonl", "stdout.log", "stderr.log")
PART_BYTES = 256 * 1024
"""After which a stream's next part begins."""
PIECE_BYTES = 1024 * 1024
"""That one look takes of a stream at most."""
LOG_BYTES = 4 * 1024 * 1024
"""Of a log that is kept; of what was before, one more file of that size."""
MAX_JOB_BYTES = 64 * 1024 * 1024
FIELDS = "fields.json"
CORRECTIONS = "corrections"
"""The folder of a home's data in which exported corrections are, and that of a request in which they travel."""
DATA = "clusters/_data/"
"""Data sets, for all clusters."""
_COLLECTED = ".collected.json"


# ── to the machines ──────────────────────────────────────────────────────────────────────────────


def give(
    bucket: Bucket, prefix: str, folder: Path, addresses: Mapping[str, Sequence[str]], data: Path
) -> None:
    """Put the job's request there: ``job.json`` with its machines' addresses, and the recipe, byte for byte.

    With it go visitors' corrections, as far as they were exported to ``data``, if the recipe names them.

    Raises
    ------
    BadInput
        They are more than half of :data:`MAX_JOB_BYTES`.
    """
    corrected = (
        sorted(data.glob(f"{CORRECTIONS}/[0-9]*/*"))
        if CORRECTIONS.encode() in _text(folder / "recipe")
        else []
    )
    if (size := sum(path.stat().st_size for path in corrected)) > MAX_JOB_BYTES // 2:
        raise BadInput(
            f"the exported corrections are {size:,} bytes, more than travel with a job ({MAX_JOB_BYTES // 2:,}): "
            f"remove old versions from {data / CORRECTIONS}"
        )
    packed = io.BytesIO()
    job = {**json.loads((folder / "job.json").read_text()), "cluster": addresses}
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("job.json", json.dumps(job))
        for path in sorted((folder / "recipe").glob("*")):
            if path.is_file():
                archive.write(path, path.relative_to(folder).as_posix())
        for path in corrected:
            archive.write(path, path.relative_to(data).as_posix())
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


def give_data(bucket: Bucket, folder: Path, recipe: Path) -> tuple[str, ...]:
    """Put the data sets that the recipe names there, unless they are; the names of their files."""
    text = _text(recipe)
    wanted = [path for path in sorted(folder.glob("*.npz")) if path.stem.encode() in text]
    there = {stored.key: stored.size for stored in bucket.list(DATA)} if wanted else {}
    for path in wanted:
        if there.get(f"{DATA}{path.name}") != path.stat().st_size:
            bucket.put(f"{DATA}{path.name}", path.resolve())
    return tuple(path.name for path in wanted)


def _text(recipe: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(recipe.glob("*.py")))


# ── on a machine ─────────────────────────────────────────────────────────────────────────────────


@dataclass
class Stream:
    """One growing file of a machine, and as much of it as is in the bucket.

    Attributes
    ----------
    lines
        Whether only whole lines go.
    read
        How much of the file was taken.
    end
        Where the stream ends in the bucket: more than ``read`` where another machine had the place before.
    """

    bucket: Bucket
    prefix: str
    path: Path
    lines: bool
    read: int = 0
    end: int = 0
    _begin: int = 0
    _part: bytes = b""

    def find_end(self) -> None:
        """Go on where the stream ends in the bucket."""
        for stored in self.bucket.list(self.prefix):
            self.end = max(self.end, _offset(stored) + stored.size)
        self._begin = self.end

    def pump(self, most: int = PIECE_BYTES) -> bool:
        """Bring what was added; false if there was nothing."""
        try:
            with open_plain(self.path) as file:
                size = os.fstat(file.fileno()).st_size
                if size < self.read:
                    self.read = 0
                if not self.lines and size - self.read > LOG_BYTES:
                    self.read = size - LOG_BYTES  # more than anybody reads
                file.seek(self.read)
                data = file.read(most)
        except OSError:
            return False
        if self.lines:
            data = data[: data.rfind(b"\n") + 1]
        if not data:
            return False
        begin, part = self._begin, self._part + data
        if len(part) > PART_BYTES and self._part:
            begin, part = self.end, data
        self.bucket.put(f"{self.prefix}{begin:015d}", part)
        self._begin, self._part = begin, part
        self.read += len(data)
        self.end += len(data)
        return True

    def trim(self) -> None:
        """Empty a log that has grown beyond what is kept; what writes it appends."""
        with contextlib.suppress(OSError):
            if not self.lines and self.read > LOG_BYTES and self.path.stat().st_size == self.read:
                os.truncate(self.path, 0)
                self.read = 0


@dataclass
class Tree:
    """A folder of files that are written once, and the same in the bucket."""

    bucket: Bucket
    prefix: str
    folder: Path
    sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def restore(self) -> int:
        """Bring what is in the bucket into the folder; how many files."""
        count = 0
        for stored in self.bucket.list(self.prefix):
            name = stored.key[len(self.prefix) :]
            if _is_inside(name):
                self.bucket.download(stored.key, self.folder / name)
                count += 1
        return count

    def sync(self) -> bool:
        """Bring what is new or changed, each folder's ``checkpoint`` last, then remove what is gone here.

        That file names the others: at every moment what is in the bucket belongs together. ``False`` if a file
        went away meanwhile; the next time will do.
        """
        found = dict(_files(self.folder))
        whole = True
        for name in sorted(found, key=lambda n: (n.rpartition("/")[2] == "checkpoint", n)):
            if self.sent.get(name) == found[name]:
                continue
            if name.rpartition("/")[2] == "checkpoint" and not whole:
                return False
            try:
                with open_plain(self.folder / name) as file:
                    self.bucket.session.s3.upload_fileobj(file, self.bucket.name, f"{self.prefix}{name}")
            except FileNotFoundError:
                whole = False
                continue
            except AwsFailure as error:
                raise said(error, f"store {name}") from error
            self.sent[name] = found[name]
        if whole:
            for name in sorted(set(self.sent) - set(found)):
                self.bucket.delete(f"{self.prefix}{name}")
                del self.sent[name]
        return whole


def open_plain(path: Path) -> io.BufferedReader:
    """A plain file to read; no link, no device: raises ``FileNotFoundError`` for whatever else is there."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError as error:
        raise FileNotFoundError(f"{path} cannot be read: {error.strerror}") from error
    file = os.fdopen(descriptor, "rb")
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        file.close()
        raise FileNotFoundError(f"{path} is no plain file")
    return file


def _files(folder: Path) -> Iterator[tuple[str, tuple[int, int]]]:
    """The plain files of a folder, and what changes when they do; those being written (``.…``, ``…_temp``) not."""
    for top, folders, names in os.walk(folder):
        folders[:] = [n for n in folders if not n.startswith(".") and "_temp" not in n]
        for name in names:
            path = Path(top, name)
            with contextlib.suppress(FileNotFoundError):
                found = path.lstat()
                if stat.S_ISREG(found.st_mode) and not name.startswith(".") and "_temp" not in name:
                    yield path.relative_to(folder).as_posix(), (found.st_size, found.st_mtime_ns)


def leave_export(bucket: Bucket, prefix: str, folder: Path) -> bool:
    """Bring the export to the bucket, ``fields.json`` last; false if there is none."""
    if not (folder / FIELDS).is_file():
        return False
    Tree(bucket, f"{prefix}export/", folder / "export").sync()
    with open_plain(folder / FIELDS) as file:
        bucket.put(f"{prefix}{FIELDS}", file.read())
    return True


# ── back ─────────────────────────────────────────────────────────────────────────────────────────


def collect(bucket: Bucket, prefix: str, folder: Path) -> None:
    """Add to the files of each machine what came since the last time, each byte once, whenever this is killed."""
    state = folder / _COLLECTED
    have = _read_state(state)
    streams: dict[str, list[Stored]] = {}
    begin = f"{prefix}reports/"
    for stored in bucket.list(begin):
        streams.setdefault(stored.key[len(begin) :].rpartition("/")[0], []).append(stored)
    for name, parts in streams.items():
        machine, _, file = name.partition("/")
        role, _, index = machine.rpartition("-")
        if file not in STREAMS or not index.isdecimal():
            continue
        at, size = have.get(name, (0, 0))
        if at > _offset(parts[-1]) + parts[-1].size:
            at = 0  # begun anew since
        for stored in parts:
            if _offset(stored) + stored.size <= at:
                continue
            data = bucket.get(stored.key) or b""
            path = machine_folder(folder, Place(role, int(index))) / file
            size = _add(path, size, data[max(0, at - _offset(stored)) :])
            at = _offset(stored) + len(data)
            have[name] = at, size
            files.write_json(state, have)


def collect_export(bucket: Bucket, prefix: str, folder: Path) -> bool:
    """Bring the export here, ``fields.json`` last; false if there is none."""
    fields = bucket.get(f"{prefix}{FIELDS}")
    if fields is None:
        return False
    Tree(bucket, f"{prefix}export/", folder / "export").restore()
    files.write(folder / FIELDS, fields)
    return True


def _add(path: Path, size: int, data: bytes) -> int:
    """Add to a file that is known to have this size; its new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > size:
        os.truncate(path, size)  # whoever added more was killed before it was noted
    if path.suffix == ".log" and path.exists() and path.stat().st_size + len(data) > LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    with path.open("ab") as file:
        file.write(data)
        return file.tell()


def _read_state(path: Path) -> dict[str, tuple[int, int]]:
    """Of each stream how much was taken, and the size of the file that it goes to."""
    try:
        return {name: (at, size) for name, (at, size) in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}


def _offset(stored: Stored) -> int:
    return int(stored.key.rpartition("/")[2])


def _is_inside(name: str) -> bool:
    parts: Sequence[str] = name.split("/")
    return bool(name) and not any(part in ("", ".", "..") for part in parts)
