"""Small things that pages are put together from: text, a banner, a waiting line, a progress bar."""

import linecache
import os
import re
import sysconfig
import traceback
from collections.abc import Callable, Sequence
from html import escape
from pathlib import Path

import anywidget
import traitlets

from workbench.errors import RecipeError, WorkbenchError
from workbench.settings import CODE
from workbench.ui.widgets import theme

_TERMINAL_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_NOT_THE_USERS = (
    sysconfig.get_path("stdlib"),
    sysconfig.get_path("purelib"),
    str(CODE / "workbench"),
    "<",
)


class Html(anywidget.AnyWidget):
    """A piece of HTML in the theme's look; what comes from elsewhere must have been escaped."""

    _esm = theme.esm("words") + theme.esm("html")
    _css = theme.css()
    html = traitlets.Unicode().tag(sync=True)
    called = traitlets.Int(0).tag(sync=True)
    """Grows each time it is to be scrolled to."""
    opens = traitlets.Bool(False).tag(sync=True)
    """Whether the kernel opens what links with ``data-open`` name."""

    def __init__(self, html: str = "") -> None:
        super().__init__(html=html)

    def come_into_sight(self) -> None:
        """Have the browser scroll to it."""
        self.called += 1

    def on_open(self, open: Callable[[str], None]) -> None:
        """Call it with what a link with ``data-open`` names, instead of following that link."""
        self.opens = True
        self.on_msg(lambda _, told, buffers: open(str(told.get("open", ""))))


class ProgressBar(anywidget.AnyWidget):
    """A bar with a line of text below it.

    ``value`` is 0 to 1, or ``None`` while nobody knows; ``state`` one of idle, running, done, stopped, failed.
    """

    _esm = theme.esm("progress")
    _css = theme.css("progress")
    value = traitlets.Float(0.0, allow_none=True).tag(sync=True)
    text = traitlets.Unicode().tag(sync=True)
    aside = traitlets.Unicode().tag(sync=True)
    state = traitlets.Enum(("idle", "running", "done", "stopped", "failed"), "idle").tag(sync=True)
    label = traitlets.Unicode("Progress").tag(sync=True)

    def show(self, state: str, value: float | None, text: str, aside: str = "") -> None:
        """Show another state and its words in one message: a screen reader is told both, once, and never older words."""
        with self.hold_sync():
            self.state, self.value, self.text, self.aside = state, value, text, aside


def when(t: float) -> str:
    """Show a time in seconds since 1970 as how long ago that is, with the exact time on hover."""
    return f'<time data-t="{t:.3f}"></time>'


def badge(state: str, word: str = "") -> str:
    """Show a state in its colour, with its word or another."""
    return f'<span class="wb-badge" data-state="{escape(state)}">{escape(word or state)}</span>'


def table(title: str, heads: Sequence[str], rows: str, *, label: str = "") -> str:
    """A part of a page that is a table; on a narrow screen it is scrolled by itself.

    Parameters
    ----------
    rows
        As HTML, escaped.
    label
        What the scrolled part is called, where that is not the title.
    """
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return (
        f'<h4 class="wb-part">{title}</h4><div class="wb-scroll" tabindex="0" role="region" aria-label="{label or title}">'
        f'<table class="wb-list"><thead><tr>{cells}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def waiting(text: str, *, working: bool = False) -> str:
    """Show a calm line for what is not there yet; ``working`` says that it is being made."""
    inner = f'<span class="wb-working">{escape(text)}</span>' if working else escape(text)
    return f'<div class="wb-waiting" role="status">{inner}</div>'


def sentence(text: str) -> str:
    """Begin a message as a sentence, unless it begins with a name: those of models, files and variables are as they are.

    >>> sentence("choose a zip first"), sentence("epochs: from 1"), sentence("mnist-cnn:2 serves"), sentence("imageSize is 3")
    ('Choose a zip first', 'Epochs: from 1', 'mnist-cnn:2 serves', 'imageSize is 3')
    """
    first = re.match(r"[a-z]+(?=[\s,:;'’]|$)", text)
    return text[0].upper() + text[1:] if first else text


def banner(title: str, text: str = "", *, detail: str = "", kind: str = "error") -> str:
    """Say what happened, why, and what to do; ``kind`` is error, done or note, ``detail`` is shown as code."""
    parts = [f"<strong>{escape(title)}</strong>"]
    if text:
        parts.append(f"<div>{escape(sentence(text))}</div>")
    if detail:
        parts.append(f'<pre tabindex="0" role="region" aria-label="Where">{escape(detail)}</pre>')
    role = "alert" if kind == "error" else "status"
    return f'<div class="wb-banner wb-{kind}" role="{role}">{"".join(parts)}</div>'


def error_banner(error: BaseException, doing: str) -> str:
    """Show an error: what was being done, the message, and the user's own line where one is to blame."""
    if isinstance(error, WorkbenchError):
        message = str(error)
    else:
        said = _TERMINAL_COLOURS.sub("", str(error))
        message = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return banner(f"{doing} failed", message, detail=users_lines(error))


def users_lines(error: BaseException) -> str:
    """Give the part of the traceback that is in the user's own code, as text; empty where there is none."""
    if isinstance(error, RecipeError) and error.traceback:
        return error.traceback.rstrip()
    lines = []
    for frame in traceback.extract_tb(error.__traceback__):
        if not frame.filename.startswith(_NOT_THE_USERS):
            source = linecache.getline(frame.filename, frame.lineno or 0).strip()
            lines.append(f"{_place(frame.filename)}, line {frame.lineno}, in {frame.name}\n    {source}")
    return "\n".join(lines)


def _place(filename: str) -> str:
    """Name a file as its author knows it: a notebook's cell has a name that says nothing to anybody."""
    if "ipykernel_" in filename or "ipython-input" in filename:
        return "your cell"
    return os.path.relpath(filename, CODE) if Path(filename).is_relative_to(CODE) else filename
