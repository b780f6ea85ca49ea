"""Files of a machine in the bucket: streams, which grow, and trees, whose files are written once.

What grows (``events.jsonl``, the logs) is a *stream*: parts named by the offset at which they begin, of which only the
last one still changes. What is written whole (checkpoints, the export) goes as it is. On a machine everything here is
read as a user's code left it, so nothing follows a link.
"""

import contextlib
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.aws.bucket import Bucket, Stored

PART_BYTES = 256 * 1024
"""After which a stream's next part begins."""
PIECE_BYTES = 1024 * 1024
"""That one look takes of a stream at most."""
LOG_BYTES = 4 * 1024 * 1024
"""Of a log that is kept; of what was before, one more file of that size."""


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
            self.end = max(self.end, offset(stored) + stored.size)
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
                    self.bucket.put(f"{self.prefix}{name}", file)
            except FileNotFoundError:
                whole = False
                continue
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


def offset(stored: Stored) -> int:
    """The position in its stream at which a part begins."""
    return int(stored.key.rpartition("/")[2])


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return bool(name) and not any(part in ("", ".", "..") for part in parts)
