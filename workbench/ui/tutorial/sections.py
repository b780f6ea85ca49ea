"""Parts of a page that follow from others: they wait, work, and fill in by themselves.

A notebook runs top to bottom in JupyterLab, where each cell finds what those before it made. A Voilà page runs
all cells when it is opened, before anybody pressed a button; what needs a result then waits for it.
"""

import contextvars
import os
import threading
from collections.abc import Callable
from html import escape
from typing import Any

import ipywidgets
from IPython.display import display

from workbench.ui.widgets.pieces import Html, error_banner, waiting


def is_page() -> bool:
    """Tell whether this kernel serves a Voilà page."""
    return os.environ.get("SERVER_SOFTWARE", "").startswith("voila")


class Observable:
    """Something that has a value now or later, and says when that changes."""

    def __init__(self) -> None:
        self.value: Any = None
        self.ready = False
        self.button: str | None = None  # that somebody has to press before there is a value
        self._watchers: dict[str, Callable[[], None]] = {}

    def watch(self, name: str, changed: Callable[[], None]) -> None:
        """Call ``changed`` after each change, in the thread that made it; replaces the watcher of that name.

        A cell that is run twice defines its section twice: the first one must no longer follow.
        """
        self._watchers[name] = changed

    def _give(self, value: Any) -> None:
        self.value, self.ready = value, True
        self._tell()

    def _take_back(self) -> None:
        if self.ready:
            self.value, self.ready = None, False
            self._tell()

    def _tell(self) -> None:
        for changed in tuple(self._watchers.values()):
            changed()


class Section(Observable):
    """A part that is a function of its sources, with the way it is shown.

    Its function runs in a thread of its own, again whenever a source has a new value; an answer that comes
    when the sources have moved on is dropped.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        sources: tuple[Observable, ...],
        show: Callable[[Any], Any] | None,
        button: str | None,
        unless: Callable[..., str] | None = None,
    ) -> None:
        super().__init__()
        self.title = (function.__doc__ or "").strip().split("\n")[0]
        self._function, self._sources, self._show = function, sources, show
        self._unless = unless
        self._lock = threading.RLock()
        self._turn = 0
        self.button = button
        self._button = ipywidgets.Button(description=button) if button else None
        if self._button:
            self._button.add_class("wb-primary")
            self._button.on_click(lambda _: self.start())
        self._text = Html()
        self.widget = ipywidgets.VBox()
        self.widget.add_class("wb").add_class("wb-card")
        self._wait()
        for source in sources:
            source.watch(function.__name__, self._sources_changed)

    def run(self) -> None:
        """Work now, in this thread, if the sources are ready and nothing speaks against it; an error is shown and raised."""
        if self._can_run() and not self._objection():
            self._work(self._next_turn(), loud=True)

    def start(self) -> None:
        """Work in a thread; an error is shown."""
        if self._can_run():
            turn = self._next_turn()
            target = contextvars.copy_context().run
            threading.Thread(target=target, args=(self._work, turn), name="section", daemon=True).start()

    def _can_run(self) -> bool:
        return all(source.ready for source in self._sources)

    def _next_turn(self) -> int:
        with self._lock:
            self._turn += 1
            turn = self._turn
            self._take_back()
            self._put(waiting(self.title or "Working …", working=True))
        return turn

    def _sources_changed(self) -> None:
        with self._lock:
            self._turn += 1  # what is under way answers a question of yesterday
            self._take_back()
            self._wait()
        if not self._button:
            self.start()

    def _work(self, turn: int, *, loud: bool = False) -> None:
        try:
            value = self._function(*(source.value for source in self._sources))
            shown = self._show(value) if self._show else value
        except Exception as error:
            with self._lock:
                if turn == self._turn:
                    again = [self._button] if self._button else []
                    self._put(error_banner(error, self.title.rstrip(".") or "This step"), *again)
            if loud:
                raise
            return
        with self._lock:
            if turn == self._turn:
                self._put(shown)
                self._give(value)

    def _wait(self) -> None:
        if not self._can_run():
            what = f"{self.title} " if self.title else ""
            self._put(waiting(f"{what}This fills in when {self._missing()}."))
        elif self._button:
            objection = self._objection()
            said = f'<p class="wb-muted">{escape(objection)}</p>' if objection else ""
            self._put(f"<p>{self.title}</p>{said}", self._button)

    def _missing(self) -> str:
        """What has to happen before: the button above that nobody has pressed, or the training."""
        pressed = (source.button for source in self._sources if not source.ready and source.button)
        return (
            f"you have pressed {name} above" if (name := next(pressed, "")) else "the training above is done"
        )

    def _objection(self) -> str:
        """What speaks against working unasked; then a button waits for somebody who wants it all the same."""
        return self._unless(*(source.value for source in self._sources)) if self._unless else ""

    def _put(self, shown: Any, *more: ipywidgets.Widget) -> None:
        """Show a widget, or HTML in the one place for it: a page that loads must not find it closed again."""
        if not isinstance(shown, ipywidgets.Widget):
            self._text.html = "" if shown is None else str(shown)
            shown = self._text
        self.widget.children = (shown, *more)


def after(
    *sources: Observable,
    show: Callable[[Any], Any] | None = None,
    button: str | None = None,
    unless: Callable[..., str] | None = None,
    asks: bool = False,
) -> Callable[[Callable[..., Any]], Section]:
    """Run the decorated function on the values of ``sources`` as soon as they are there, and show what it gives.

    Step by step that is at once. On a page it is later, and again after each training; with a ``button``,
    only when that is pressed. The function's name then stands for the section, itself a source.

    Parameters
    ----------
    show
        Makes a widget or HTML of the function's value; without it the value itself is one.
    unless
        Of a section with a button: says of the sources' values why it should not run unasked, or nothing. Then the
        button waits step by step, too: running all cells does nothing that nobody asked for.
    asks
        Whether the button waits step by step whatever the values are.
    """

    def decorate(function: Callable[..., Any]) -> Section:
        section = Section(function, sources, show, button, unless)
        display(section.widget)
        if not is_page() and not asks:
            section.run()
        elif not button:
            section.start()
        return section

    return decorate


def on_press(label: str) -> Callable[[Callable[[], Any]], Section]:
    """Show a button that calls the decorated function; below it what that gives, by ``show()`` where it has that.

    Unlike a section of ``after`` it waits for the button step by step, too.
    """

    def show(value: Any) -> Any:
        if value is None:
            return '<p class="wb-gave">Done.</p>'
        shown = value.show() if hasattr(value, "show") else value
        if isinstance(shown, ipywidgets.Widget):
            return shown
        html: Callable[[], str] | None = getattr(shown, "_repr_html_", None)
        return html() if html else f'<p class="wb-gave">{escape(str(shown))}</p>'

    def decorate(function: Callable[[], Any]) -> Section:
        section = Section(function, (), show, label)
        display(section.widget)
        return section

    return decorate
