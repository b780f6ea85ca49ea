"""Folders of a machine whose files are written once, checkpoints and the export, and the same in the bucket."""

import errno
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from workbench.aws.bucket import Bucket
from workbench.system import scratch, untrusted_changes, untrusted_folders

MAX_FILES = 10_000
MAX_BYTES = 32 * 1024**3
"""Of a tree; a disk of ours has no more."""


@dataclass
class Tree:
    """A folder of files that are written once, and the same in the bucket.

    Attributes
    ----------
    folder, name
        The job's folder, whose path is trusted, and the name of the tree in it.
    """

    bucket: Bucket
    prefix: str
    folder: Path
    name: str
    sent: dict[str, tuple[int, int]] = field(default_factory=dict)

    def restore(self) -> int:
        """Bring what is in the bucket into the folder, in the place of what is there; how many files."""
        with scratch.folder(self.folder.parent) as aside:
            whole, count = aside / "whole", 0
            for stored in self.bucket.list(self.prefix):
                name = stored.key[len(self.prefix) :]
                if _is_inside(name):
                    self.bucket.download(stored.key, whole / name)
                    count += 1
            if count:
                untrusted_changes.move_in(whole, self.folder, self.name)
        return count

    def sync(self) -> bool:
        """Bring what is new or changed, each folder's ``checkpoint`` last, then remove what is gone here.

        That file names the others: at every moment what is in the bucket belongs together. ``False`` if a file
        went away meanwhile, the next time will do, or if there is more than a tree has.
        """
        try:
            found = dict(self._files())
        except OSError:
            return False
        whole = True
        for name in sorted(found, key=lambda n: (n.rpartition("/")[2] == "checkpoint", n)):
            if self.sent.get(name) == found[name]:
                continue
            if name.rpartition("/")[2] == "checkpoint" and not whole:
                return False
            try:
                with (
                    untrusted_folders.opened_file(self.folder, f"{self.name}/{name}") as (file, _),
                    os.fdopen(os.dup(file), "rb") as content,
                ):
                    self.bucket.put(f"{self.prefix}{name}", content)
            except OSError:
                whole = False
                continue
            self.sent[name] = found[name]
        if whole:
            for name in sorted(set(self.sent) - set(found)):
                self.bucket.delete(f"{self.prefix}{name}")
                del self.sent[name]
        return whole

    def _files(self) -> Iterator[tuple[str, tuple[int, int]]]:
        """The plain files, and what changes when they do; those being written (``.…``, ``…_temp``) not.

        Raises
        ------
        TooMuch
        """
        left = MAX_BYTES
        walked = untrusted_folders.walk(self.folder, self.name, changing=True)
        for count, (_, path, found) in enumerate(walked, 1):
            if not stat.S_ISREG(found.st_mode) or _is_being_written(path):
                continue
            left -= found.st_size
            if count > MAX_FILES or left < 0:
                raise untrusted_folders.TooMuch(errno.EFBIG, f"{self.name} has more than a job may bring")
            yield path, (found.st_size, found.st_mtime_ns)


def _is_being_written(path: str) -> bool:
    return any(part.startswith(".") or "_temp" in part for part in path.split("/"))


def _is_inside(name: str) -> bool:
    parts = name.split("/")
    return bool(name) and not any(part in ("", ".", "..") for part in parts)
