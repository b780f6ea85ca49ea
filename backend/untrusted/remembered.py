"""Remember which file a URL gave, so that it is not fetched again each time; one small file for all workers."""

import json
import time
from pathlib import Path

from workbench.fetching import Fetched
from workbench.system import files

_Line = tuple[str, str, str, float]
"""SHA-256, ETag, date of the last change, and when it came."""


class Remembered:
    """The file of what URLs gave."""

    FRESH_S = 60.0
    MOST = 200

    def __init__(self, file: Path) -> None:
        self._file = file
        self._cache: tuple[object, dict[str, _Line]] = (None, {})

    def get(self, url: str) -> tuple[str, Fetched, bool] | None:
        """Give SHA-256, what is known, and whether it is fresh enough to be used without asking."""
        found = self._read().get(url)
        if found is None:
            return None
        sha256, etag, modified, at = found
        fresh = 0 <= time.time() - at < self.FRESH_S
        return sha256, Fetched(url, etag, modified, True), fresh

    def keep(self, fetched: Fetched, sha256: str) -> None:
        """Note what came."""
        came = sha256, fetched.etag, fetched.last_modified, time.time()
        all_ = {**self._read(), fetched.url: came}
        latest = dict(sorted(all_.items(), key=lambda item: -item[1][3])[: self.MOST])
        files.write_json(self._file, latest)

    def _read(self) -> dict[str, _Line]:
        try:
            found = self._file.stat()
            mark = found.st_ino, found.st_mtime_ns
            if self._cache[0] != mark:
                self._cache = mark, dict(json.loads(self._file.read_text()))
        except (FileNotFoundError, ValueError):
            return {}
        return self._cache[1]
