"""A bucket in memory: what ``Bucket`` promises, for tests of what only stores and fetches."""

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from workbench.errors import NotFound
from workbench.providers.aws.bucket import Stored


class MemoryBucket:
    """Objects by key."""

    name = "memory"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.session = SimpleNamespace(home="h", s3=SimpleNamespace(upload_fileobj=self._upload))

    def put(self, key: str, content: Path | bytes) -> None:
        self.objects[key] = content if isinstance(content, bytes) else content.read_bytes()

    def get(self, key: str) -> bytes | None:
        return self.objects.get(key)

    def list(self, prefix: str = "") -> Iterator[Stored]:
        for key in sorted(self.objects):
            if key.startswith(prefix):
                content = self.objects[key]
                yield Stored(key, len(content), hashlib.sha256(content).hexdigest())

    def download(self, key: str, path: Path) -> None:
        if key not in self.objects:
            raise NotFound(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.objects[key])

    def delete(self, prefix: str) -> int:
        keys = [key for key in self.objects if key.startswith(prefix)]
        for key in keys:
            del self.objects[key]
        return len(keys)

    def _upload(self, file: Any, bucket: str, key: str) -> None:
        self.objects[key] = file.read()
