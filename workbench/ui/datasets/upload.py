"""A file of any size from a browser: in pieces, each kept before the next is asked for, gone on with where it broke off."""

import hashlib
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from workbench.system import files
from workbench.ui.widgets import theme
from workbench.ui.widgets.formats import megabytes
from workbench.ui.widgets.pieces import ProgressBar

STALE_S = 24 * 3600
MOST_PIECE = 8 * 1024**2
"""As large as the browser makes them on a quick line."""


class Upload(anywidget.AnyWidget):
    """A field for one file.

    Parameters
    ----------
    folder
        Where the files are kept until somebody takes them; what nobody took for a day is removed.
    most_bytes
        Of a file.
    taken
        Called with the whole file's path.
    refused
        Called with what is said of a file that is not taken.
    """

    _esm = theme.esm("upload")
    _css = theme.css("datasets")
    label = traitlets.Unicode("Choose a file, or drop it here").tag(sync=True)
    accept = traitlets.Unicode("").tag(sync=True)

    def __init__(
        self,
        folder: Path,
        most_bytes: int,
        taken: Callable[[Path], None],
        refused: Callable[[str], None],
        *,
        accept: str = "",
    ) -> None:
        super().__init__(accept=accept)
        self.progress = ProgressBar(value=0.0, text="", state="idle", label="Upload")
        self.progress.layout.display = "none"  # until there is something to show
        self.progress.observe(lambda _: setattr(self.progress.layout, "display", ""), "state")
        self._folder, self._most, self._taken, self._refused = folder, most_bytes, taken, refused
        self._path: Path | None = None
        self._name, self._size, self._last_shown = "", 0, 0.0
        self.on_msg(self._heard)

    def _heard(self, _widget: object, said: dict[str, object], buffers: list[Any]) -> None:
        try:
            if said.get("kind") == "begin":
                self._begin(str(said["name"]), int(str(said["size"])), str(said["changed"]))
            elif said.get("kind") == "piece" and buffers:
                self._keep(int(str(said["offset"])), bytes(buffers[0]))
            elif said.get("kind") == "end":
                self._end()
            else:
                self._give_up(f"the browser can no longer read it: {said.get('why')}; choose it again")
        except OSError as error:
            self._give_up(f"it could not be kept: {error.strerror or error}")
        except (KeyError, ValueError) as error:
            self._give_up(f"the browser sent something else than a file: {error}")

    def _begin(self, name: str, size: int, changed: str) -> None:
        self._clear_stale()
        safe = "".join(c if c.isalnum() or c in "._-" else "_" for c in Path(name).name)[-120:] or "file"
        if not 0 < size <= self._most:
            self._give_up(f"{safe} has {size:,} bytes; from 1 to {self._most:,} are taken")
            return
        if size > shutil.disk_usage(self._folder).free // 2:
            self._give_up(f"{safe} has {size:,} bytes, more than half of what the disk has free")
            return
        key = hashlib.sha256(f"{name}\0{size}\0{changed}".encode()).hexdigest()[:24]
        (self._folder / key).mkdir(exist_ok=True)
        self._path, self._name, self._size = self._folder / key / safe, safe, size
        self._path.touch()
        self.progress.state = "running"
        self._want(self._path.stat().st_size)

    def _keep(self, offset: int, content: bytes) -> None:
        if self._path is None or len(content) > MOST_PIECE:
            return
        there = self._path.stat().st_size
        if offset == there and there + len(content) <= self._size:
            with self._path.open("ab") as file:
                file.write(content)
            there += len(content)
        self._want(there)

    def _want(self, offset: int) -> None:
        now = time.monotonic()
        if now - self._last_shown > 0.2 or offset >= self._size:
            self._last_shown = now
            self.progress.value = offset / self._size
            self.progress.text = f"{self._name}: {megabytes(offset)} of {megabytes(self._size)}"
        self.send({"kind": "want", "offset": offset})

    def _end(self) -> None:
        path, self._path = self._path, None
        self.send({"kind": "rest"})
        if path is None or path.stat().st_size != self._size:
            self._give_up("it did not arrive whole; choose it again, and it goes on where it broke off")
            return
        self.progress.state = "done"
        self._taken(path)

    def _give_up(self, why: str) -> None:
        self._path = None
        self.progress.show("failed", self.progress.value, "not uploaded")
        self.send({"kind": "rest"})
        self._refused(why)

    def _clear_stale(self) -> None:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for left in self._folder.iterdir():
            if time.time() - left.stat().st_mtime > STALE_S:
                files.remove(left)
