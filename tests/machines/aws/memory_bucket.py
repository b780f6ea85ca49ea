"""A bucket in memory: what ``Bucket`` promises, for tests of what only stores and fetches."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import IO

from workbench.aws.bucket import Stored
from workbench.errors import NotFound, Unavailable


class MemoryBucket:
    """Objects by key.

    Attributes
    ----------
    refuses
        Parts of keys, behind ``get`` or ``put``: the next such request fails, once.
    """

    name = "memory"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.refuses: set[tuple[str, str]] = set()
        self.session = SimpleNamespace(home="h")

    def _ask(self, verb: str, key: str) -> None:
        for asked, part in sorted(self.refuses):
            if asked == verb and part in key:
                self.refuses.discard((asked, part))
                raise Unavailable(f"AWS does not answer: {verb} {key}")

    def put(self, key: str, content: Path | bytes | IO[bytes]) -> None:
        self._ask("put", key)
        if isinstance(content, bytes):
            self.objects[key] = content
        else:
            self.objects[key] = content.read_bytes() if isinstance(content, Path) else content.read()

    def get(self, key: str) -> bytes | None:
        self._ask("get", key)
        return self.objects.get(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                content = self.objects[key]
                yield Stored(key, len(content), hashlib.sha256(content).hexdigest())

    def download(self, key: str, path: Path) -> None:
        self._ask("get", key)
        if key not in self.objects:
            raise NotFound(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.objects[key])

    def delete(self, prefix: str) -> int:
        keys = [key for key in self.objects if key.startswith(prefix)]
        for key in keys:
            del self.objects[key]
        return len(keys)
