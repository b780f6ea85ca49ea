"""A button for small files of the visitor's, which come whole; larger ones come in pieces, by ``datasets/upload.py``."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import anywidget
import traitlets

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
    accept
        The kinds of files that are offered, as HTML's ``accept``; all where empty.
    """

    _esm = theme.esm("files")
    _css = theme.css("files")
    description = traitlets.Unicode().tag(sync=True)
    accept = traitlets.Unicode().tag(sync=True)
    multiple = traitlets.Bool(False).tag(sync=True)
    value = traitlets.Tuple()
    """A mapping a file: ``name``, ``size`` in bytes, ``content``."""

    def __init__(
        self,
        description: str,
        lost: Callable[[BadInput], None],
        *,
        accept: str = "",
        multiple: bool = False,
        tooltip: str | None = None,
    ) -> None:
        super().__init__(description=description, accept=accept, multiple=multiple, tooltip=tooltip)
        self._lost = lost
        self.on_msg(lambda _, said, buffers: self._heard(said, buffers))

    def _heard(self, said: Mapping[str, Any], buffers: Sequence[Any]) -> None:
        names = said.get("names")
        if said.get("kind") == "files" and isinstance(names, list) and len(names) == len(buffers):
            contents = [bytes(buffer) for buffer in buffers]
            self.value = tuple(
                {"name": str(name), "size": len(content), "content": content}
                for name, content in zip(names, contents, strict=True)
            )
        else:
            why = str(said.get("why", "it sent something else than files"))[:300]
            self._lost(BadInput(f"the browser could not read the file: {why}; choose it again"))
