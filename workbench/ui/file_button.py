"""A button for files of the visitor's that fit into memory, all of a choice at once; larger ones come by ``datasets/upload.py``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from workbench import drawing_page
from workbench.errors import BadInput
from workbench.ui.widgets import theme


class FileButton(anywidget.AnyWidget):
    """Opens the browser's choice of files; ``value`` has what was chosen last, as ``ipywidgets.FileUpload`` has it.

    That one writes how many files it holds into its button, "Upload (0)", for all to see and to hear.

    Parameters
    ----------
    description
        The words on the button.
    lost
        Called with the error where the browser could not read a file.
    most
        Bytes of all files of a choice; more are refused before they are sent. 0 for any.
    accept
        The kinds of files that are offered, as HTML's ``accept``; all where empty.
    zone
        A selector of what the button stands in: one picture may be dropped there, or pasted while that is in sight.
    """

    _esm = drawing_page.bundle(["dropping"]) + theme.esm("files")
    _css = theme.css("files")
    description = traitlets.Unicode().tag(sync=True)
    accept = traitlets.Unicode().tag(sync=True)
    multiple = traitlets.Bool(False).tag(sync=True)
    most = traitlets.Int(0).tag(sync=True)
    zone = traitlets.Unicode().tag(sync=True)
    value = traitlets.Tuple()
    """A mapping a file: ``name``, ``size`` in bytes, ``content``."""

    def __init__(
        self,
        description: str,
        lost: Callable[[BadInput], None],
        *,
        accept: str = "",
        most: int = 0,
        multiple: bool = False,
        zone: str = "",
        tooltip: str | None = None,
    ) -> None:
        super().__init__(
            description=description, accept=accept, most=most, multiple=multiple, zone=zone, tooltip=tooltip
        )
        self._lost = lost
        self._coming: dict[str, bytearray] = {}
        self._sizes: list[int] = []
        self.on_msg(lambda _, said, buffers: self._heard(said, buffers))

    def _heard(self, said: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        kind, names, sizes = said.get("kind"), said.get("names"), said.get("sizes")
        if kind == "files" and isinstance(names, list) and len(names) == len(buffers):
            self._take(dict(zip(map(str, names), map(bytes, buffers), strict=True)))
        elif kind == "begin" and isinstance(names, list) and isinstance(sizes, list):
            self._sizes = [int(size) for size in sizes]
            if self.most and sum(self._sizes) > self.most:
                self._end(f"at most {self.most:,} bytes are taken. Received: {sum(self._sizes):,}")
                return
            self._coming = {str(name): bytearray() for name in names}
            self._want()
        elif kind == "piece" and buffers:
            if self._coming:  # one that was under way when somebody stopped it comes late
                self._keep(said, bytes(buffers[0]))
        elif kind == "cancel":
            self._coming = {}
        elif kind == "refused":
            self._lost(BadInput(str(said.get("why", ""))[:300]))
        else:
            why = str(said.get("why", "it sent something else than files"))[:300]
            self._end(f"the browser could not read the file: {why}; choose it again")

    def _keep(self, said: Mapping[str, Any], content: bytes) -> None:
        """Keep a piece that was asked for; the next one is wanted, or all are there."""
        number, offset = said.get("number"), said.get("offset")
        place = self._next()
        if place is None or (number, offset) != place:
            return
        part = list(self._coming.values())[place[0]]
        part.extend(content)
        if not content or len(part) > self._sizes[place[0]]:
            self._end("the browser could not read the file: it has changed meanwhile; choose it again")
            return
        self._want()

    def _want(self) -> None:
        place = self._next()
        if place is None:
            found, self._coming = {name: bytes(part) for name, part in self._coming.items()}, {}
            self.send({"kind": "rest"})
            self._take(found)
            return
        sent = sum(map(len, self._coming.values()))
        self.send({"kind": "want", "number": place[0], "offset": place[1], "sent": sent})

    def _next(self) -> tuple[int, int] | None:
        """The file and the place in it from which on bytes are missing."""
        for number, (part, size) in enumerate(zip(self._coming.values(), self._sizes, strict=False)):
            if len(part) < size:
                return number, len(part)
        return None

    def _end(self, why: str) -> None:
        self._coming = {}
        self.send({"kind": "rest"})
        self._lost(BadInput(why))

    def _take(self, found: Mapping[str, bytes]) -> None:
        self.value = tuple(
            {"name": name, "size": len(content), "content": content} for name, content in found.items()
        )
