"""The form that adds a data set: a file in pieces, or a URL or a path, and what is not to be guessed."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import ipywidgets

from workbench.errors import BadInput
from workbench.system import files
from workbench.ui.as_code import AsCode, Line
from workbench.ui.as_code import lines as as_code
from workbench.ui.datasets.choices import Choices
from workbench.ui.datasets.upload import Upload
from workbench.ui.widgets.actions import Action, Message
from workbench.ui.widgets.pieces import Html, waiting
from workbench.verbs import datasets
from workbench.verbs.workbench import Workbench

if TYPE_CHECKING:
    from workbench.verbs.datasets import DatasetManifest

MOST_BYTES = 20 * 1024**3
ACCEPT = ".zip,.csv,.tsv,.txt,.gz,.parquet,.npz"


class AddingForm:
    """Takes a source and adds it.

    Parameters
    ----------
    added
        Called with the version that was made.
    """

    def __init__(self, workbench: Workbench, added: "Callable[[DatasetManifest], None]") -> None:
        self._settings, self._added = workbench.settings, added
        self._file: Path | None = None
        self.message, self._stage = Message(), Html()
        self.upload = Upload(
            workbench.settings.data / ".uploads",
            MOST_BYTES,
            self._take,
            lambda why: self.message.fail(BadInput(why), "The upload"),
            accept=ACCEPT,
        )
        self.source = ipywidgets.Text(
            description="or a URL", placeholder="https://… or s3://… or a path here"
        )
        self.source.add_class("wb-long")
        self.name = ipywidgets.Text(description="Name", placeholder="flowers")
        self.as_code = AsCode(self._lines)
        self.choices = Choices(self.as_code.refresh)
        form = ipywidgets.Box([self.source, self.name, *self.choices.usual])
        form.add_class("wb-form")
        self.add = Action("Add", self._add, self.message, working="Adding …", primary=True)
        for field in (self.source, self.name):
            field.observe(lambda _: self.as_code.refresh(), "value")
        self.widget = ipywidgets.VBox(
            [
                self.upload,
                self.upload.progress,
                form,
                self.choices.fold,
                self.add.widget,
                self.as_code,
                self._stage,
                self.message,
            ]
        )
        for name in ("wb", "wb-card", "wb-wide", "wb-datasets"):
            self.widget.add_class(name)

    def _take(self, path: Path) -> None:
        self._file = path
        if not self.name.value:
            self.name.value = _name_of(path.name)
        self.message.done(f"{path.name} is here", "Say how it is to be called, and press Add.")

    def _lines(self) -> list[Line]:
        line = as_code.add_dataset(
            self.name.value.strip(),
            self.source.value.strip() or (self._file.name if self._file else ""),
            self.choices.read(),
        )
        return [line]

    def _add(self) -> None:
        source = self.source.value.strip() or (str(self._file) if self._file else "")
        if not source:
            raise BadInput("choose a file first, or give a URL")
        if not self.name.value.strip():
            raise BadInput("give the data set a name, for instance flowers")
        how = self.choices.read()
        called = self._file.name if self._file and source == str(self._file) else None
        try:
            made = datasets.add(
                self.name.value.strip(), source, how, self._settings, say=self._say, called=called
            )
        finally:
            self._stage.html = ""
        if self._file is not None and source == str(self._file):
            files.remove(self._file.parent)
            self._file = None
        self.source.value = ""
        train, test = made.train.examples, made.test.examples
        self.message.done(f"{made} is added", f"{train:,} examples to train and {test:,} to test with.")
        self._added(made)

    def _say(self, line: str) -> None:
        self._stage.html = waiting(line, working=True)


def _name_of(file: str) -> str:
    """A name for what is in a file.

    >>> _name_of("my photos (1).zip")
    'my-photos-1'
    """
    stem = file.partition(".")[0].lower()
    words = "".join(c if c.isalnum() and c.isascii() else " " for c in stem).split()
    return "-".join(words)[:64]
