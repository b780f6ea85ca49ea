"""One cheap question, asked again and again while somebody looks; who follows is told when the answer changed."""

import contextvars
import threading
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from workbench.ui.widgets.visitor.browser import Browser

T = TypeVar("T")
FAST_S = 1.0
SLOW_S = 5.0
_NOTHING = object()


def in_thread(function: Callable[..., Any], *arguments: Any) -> threading.Thread:
    """Call it in a thread that does not keep the kernel, in this context, so that what it prints finds its cell."""
    target = contextvars.copy_context().run
    thread = threading.Thread(target=target, args=(function, *arguments), name=function.__name__, daemon=True)
    thread.start()
    return thread


class Newest:
    """Runs a function in a thread, one call at a time; of many wishes meanwhile one is fulfilled, the newest."""

    def __init__(self, function: Callable[[], Any]) -> None:
        self._function = function
        self._lock = threading.Lock()
        self._asked = self._working = False

    def ask(self) -> None:
        """Wish for a call that begins now or later; returns at once."""
        with self._lock:
            self._asked = True
            if self._working:
                return
            self._working = True
        in_thread(self._work)

    def _work(self) -> None:
        with self._lock:
            self._asked = False
        try:
            self._function()
        finally:  # one that failed must not be the last
            with self._lock:
                again = self._working = self._asked
            if again:
                in_thread(self._work)


class Poll(Generic[T]):
    """Asks once when it starts, so that a page is not empty, and from then on only while the page is in front.

    Parameters
    ----------
    ask
        The question; called in the poll's own thread. What it raises goes to ``on_problem`` and is asked again.
    busy
        Whether things are moving, by the newest answer: then it asks every ``fast_s``, else every ``slow_s``.
    browser
        Tells whether anybody looks; without one somebody always does.
    """

    def __init__(
        self,
        ask: Callable[[], T],
        *,
        busy: Callable[[T], bool] = lambda answer: False,
        browser: Browser | None = None,
        fast_s: float = FAST_S,
        slow_s: float = SLOW_S,
    ) -> None:
        self._ask, self._busy, self._browser = ask, busy, browser
        self._fast_s, self._slow_s = fast_s, slow_s
        self._followers: list[Callable[[T], None]] = []
        self._ticks: list[Callable[[], None]] = []
        self._problems: list[Callable[[Exception | None], None]] = []
        self._answer: Any = _NOTHING
        self._problem = ""
        self._wake = threading.Event()
        self._closed = False
        self._thread: threading.Thread | None = None
        if browser is not None:
            browser.observe(lambda _: self.now(), "visible")

    def follow(self, changed: Callable[[T], None]) -> None:
        """Call ``changed(answer)`` in the poll's thread whenever the answer differs from the one before."""
        self._followers.append(changed)

    def each(self, function: Callable[[], None]) -> None:
        """Call it after every question, for what has no place in the answer, as files that grow."""
        self._ticks.append(function)

    def on_problem(self, show: Callable[[Exception | None], None]) -> None:
        """Call ``show(error)`` when asking fails, and ``show(None)`` when it works again."""
        self._problems.append(show)

    def start(self) -> None:
        """Begin; a second time changes nothing."""
        if self._thread is None:
            self._thread = in_thread(self._run)

    def now(self) -> None:
        """Ask at once, for instance because a button has changed something."""
        self._wake.set()

    def close(self) -> None:
        """End; twice is fine."""
        self._closed = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def turn(self) -> None:
        """Ask once, here and now, and tell who follows."""
        try:
            answer = self._ask()
            if self._answer is _NOTHING or answer != self._answer:
                self._answer = answer
                for changed in tuple(self._followers):
                    changed(answer)
            for function in tuple(self._ticks):
                function()
        except Exception as error:
            # Asked again soon; meanwhile the page says so.
            self._answer = _NOTHING
            self._tell(error)
        else:
            self._tell(None)

    def _run(self) -> None:
        first = True
        while not self._closed:
            self._wake.clear()
            looked_at = self._browser is None or self._browser.visible
            if looked_at or first:
                self.turn()
            first = False
            self._wake.wait(self._pause() if looked_at else None)

    def _pause(self) -> float:
        moving = self._answer is not _NOTHING and self._busy(self._answer)
        return self._fast_s if moving else self._slow_s

    def _tell(self, error: Exception | None) -> None:
        said = "" if error is None else f"{type(error).__name__}: {error}"
        if said != self._problem:
            self._problem = said
            for show in tuple(self._problems):
                show(error)
