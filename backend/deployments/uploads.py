"""A version's zip that arrives in parts: what came stays after a broken connection, and the whole is checked."""

import contextlib
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from workbench.errors import BadInput, Conflict, ModelRefused, TooLarge, WrongOffset
from workbench.manifest import File
from workbench.system.locks import locked

MAX_VERSION = 1024 * 1024 * 1024
"""Bytes of a pushed version's zip."""
STALE_S = 24 * 3600.0
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Uploads:
    """Parts on their way, a folder for each zip, named by its SHA-256; forgotten after a day without news."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "uploads"

    def received(self, sha256: str) -> int:
        """Bytes of this zip that are here."""
        try:
            return (self._path(sha256) / "part").stat().st_size
        except FileNotFoundError:
            return 0

    def append(self, sha256: str, start: int, total: int, blocks: Iterator[bytes]) -> int:
        """Add a part that begins at byte ``start``; how many bytes are here then.

        Raises
        ------
        TooLarge
            More is announced than a version may have.
        WrongOffset
            Another byte is the next one.
        Conflict
            Another part is arriving just now.
        """
        if not 0 < total <= MAX_VERSION:
            raise TooLarge(f"a version has at most {MAX_VERSION:,} bytes. Received: {total:,}")
        self._clear()
        folder = self._path(sha256)
        folder.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as held:
            try:
                held.enter_context(locked(folder / "part", 0))
            except TimeoutError as error:
                raise Conflict("another part of this zip is arriving just now", after_s=1.0) from error
            file = held.enter_context((folder / "part").open("ab"))
            here = file.tell()
            if start != here:
                raise WrongOffset(f"{here:,} bytes are here, so go on there", here)
            for block in blocks:
                if here + len(block) > total:
                    raise BadInput(f"more came than the {total:,} bytes that were announced")
                file.write(block)
                file.flush()
                here += len(block)
        return here

    @contextmanager
    def whole(self, sha256: str) -> Iterator[Path]:
        """The zip that has come whole; gone afterwards, taken or not."""
        folder = self._path(sha256)
        try:
            check(folder / "part", sha256)
            yield folder / "part"
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _path(self, sha256: str) -> Path:
        if not _SHA256.fullmatch(sha256):
            raise BadInput(f"a SHA-256 is 64 of 0-9 and a-f. Received: {sha256[:80]!r}")
        return self._folder / sha256

    def _clear(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        for left in self._folder.iterdir():
            if time.time() - max(p.stat().st_mtime for p in (left, *left.iterdir())) > STALE_S:
                shutil.rmtree(left, ignore_errors=True)


def check(zipped: Path, sha256: str) -> None:
    """Refuse a zip that is not the one that was announced."""
    found = File.of(zipped).sha256
    if found != sha256:
        raise ModelRefused(
            f"the zip that arrived is another one: SHA-256 {found[:12]}…, announced {sha256[:12]}…"
        )
