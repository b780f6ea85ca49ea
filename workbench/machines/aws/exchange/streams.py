"""Files of a machine that grow (``events.jsonl``, the logs), and the same in the bucket.

There they are parts named by the offset at which they begin, of which only the last one still changes. What is written
whole is in ``trees``.
"""

import contextlib
import re
from dataclasses import dataclass
from pathlib import Path

from workbench.aws.bucket import Bucket, Stored
from workbench.system import untrusted_changes, untrusted_folders

PART_BYTES = 256 * 1024
"""After which a stream's next part begins."""
OFFSET = re.compile("[0-9]{1,18}", re.ASCII)
PIECE_BYTES = 1024 * 1024
"""That one look takes of a stream at most."""
LOG_BYTES = 4 * 1024 * 1024
"""Of a log that is kept; of what was before, one more file of that size."""


@dataclass
class Stream:
    """One growing file of a machine, and as much of it as is in the bucket.

    Attributes
    ----------
    folder, name
        The job's folder, whose path is trusted, and the name of the file in it.
    lines
        Whether only whole lines go.
    read
        How much of the file was taken.
    end
        Where the stream ends in the bucket: more than ``read`` where another machine had the place before.
    """

    bucket: Bucket
    prefix: str
    folder: Path
    name: str
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
            size = untrusted_folders.size_of(self.folder, self.name)
            if size < self.read:
                self.read = 0
            if not self.lines and size - self.read > LOG_BYTES:
                self.read = size - LOG_BYTES  # more than anybody reads
            data = untrusted_folders.read_part(self.folder, self.name, self.read, most).data
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
            size = untrusted_folders.size_of(self.folder, self.name)
            if not self.lines and self.read > LOG_BYTES and size == self.read:
                untrusted_changes.add(self.folder, self.name, b"", 0)
                self.read = 0


def offset(stored: Stored) -> int:
    """The position in its stream at which a part begins; 0 of a key that is none of ours."""
    text = stored.key.rpartition("/")[2]
    return int(text) if OFFSET.fullmatch(text) else 0
