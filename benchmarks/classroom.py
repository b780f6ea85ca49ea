"""A class at the tutorial: all open it within two minutes, train two epochs in turns, draw, and publish.

Visitors are HTTP and websocket clients of one process; what the server and the kernels do is all real. Some of them are pages
in one Chromium, which open the tutorial beside the others and look on until everybody has it. How many they are and what they do
is said by the environment: ``CLASSROOM_VISITORS`` (100), ``CLASSROOM_PAGES`` (20 of them), ``CLASSROOM_WITHIN_S`` (120),
``CLASSROOM_EPOCHS`` (2; 0 to open the page and no more), ``WORKBENCH_SMALL=1`` for a fifth of the pictures.
"""

import asyncio
import os
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
from playwright.async_api import Browser, async_playwright
from playwright.async_api import Error as PlaywrightError
from tornado.httpclient import AsyncHTTPClient, HTTPError

from benchmarks.dashboard import kernels as _kernels
from benchmarks.measuring import Row
from benchmarks.pages import served
from benchmarks.serving import Server
from tests.browser import chromium
from tests.dashboard.visitor import Visitor
from workbench.errors import Unavailable
from workbench.pictures import ink
from workbench.settings import PROJECT
from workbench.system.waiting import wait_until

PAGE = "00-mnist-cnn.ipynb"
GOAL_PAGE_S = 10.0
PATIENCE_S = 3_600.0
SAMPLE_S = 1.0
REST_S = 60.0
"""Within which the server is to have closed what it had open for visitors."""


@dataclass(frozen=True)
class Lesson:
    """What each visitor does."""

    epochs: int = 2
    """0 to look at the page and no more."""


@dataclass
class Course:
    """What happened to each visitor, seconds."""

    opened: list[float] = field(default_factory=list)
    shown: list[float] = field(default_factory=list)
    """In Chromium: from the address to the first widget."""
    trained: list[float] = field(default_factory=list)
    """From the press on *Train* to the model, the wait for the turn in it."""
    drawn: list[float] = field(default_factory=list)
    published: list[float] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    lowest_free_mb: float = float("inf")
    kernel_mb: list[float] = field(default_factory=list)
    """Of each kernel once all pages are open."""


def run() -> list[Row]:
    """Measure as the environment says."""
    visitors = int(os.environ.get("CLASSROOM_VISITORS", "100"))
    pages = min(int(os.environ.get("CLASSROOM_PAGES", "20")), visitors)
    within_s = float(os.environ.get("CLASSROOM_WITHIN_S", "120"))
    lesson = Lesson(epochs=int(os.environ.get("CLASSROOM_EPOCHS", "2")))
    with tempfile.TemporaryDirectory() as folder, served(Path(folder)) as (server, settings):
        quiet, began = _resources(server), time.monotonic()
        origin = f"http://127.0.0.1:{server.port}"
        course = asyncio.run(
            teach(origin, settings.token, visitors, within_s, lesson, pages, lambda: _kernels(server))
        )
        took = time.monotonic() - began
        # The pool's kernels are there again, and nobody else's.
        wait_until(lambda: len(_kernels(server)) <= quiet.kernels, 120, 0.5, lambda: "kernels were left")
        after = _at_rest(server, quiet)
    for line in course.failed:
        print(f"classroom: {line}", file=sys.stderr)
    load = f"{os.getloadavg()[1]:.0f} processes wanted the {os.cpu_count()} cores in the last five minutes"
    done = visitors - len(course.failed)
    return [
        Row("classroom: visitors who came to the end", done, "", goal=visitors, more=True, note=load),
        Row("classroom: all of it", took / 60, "min"),
        Row("classroom: half of the pages opened within", _middle(course.opened), "s"),
        Row("classroom: all pages opened within", max(course.opened, default=0), "s", goal=GOAL_PAGE_S),
        *(
            [
                Row(
                    "classroom: all pages of Chromium showed a widget within",
                    max(course.shown),
                    "s",
                    goal=GOAL_PAGE_S,
                )
            ]
            if course.shown
            else ()
        ),
        *(_lesson(course) if lesson.epochs else ()),
        Row("classroom: memory of a kernel, page open (PSS)", _middle(course.kernel_mb), "MB"),
        Row("classroom: of all kernels, pages open (PSS)", sum(course.kernel_mb), "MB"),
        Row("classroom: the least free memory of the machine", course.lowest_free_mb, "MB", more=True),
        Row("classroom: files open in the server, more than before", after.files - quiet.files, "", goal=10),
        Row("classroom: memory of the server, more than before", after.mb - quiet.mb, "MB"),
    ]


def _lesson(course: Course) -> Iterator[Row]:
    yield Row("classroom: half had trained after", _middle(course.trained), "s")
    yield Row("classroom: all had trained after", max(course.trained, default=0), "s")
    yield Row("classroom: the slowest answer to a drawing", max(course.drawn, default=0), "s")
    yield Row("classroom: half had published after", _middle(course.published), "s")


async def teach(
    origin: str,
    token: str,
    visitors: int,
    within_s: float,
    lesson: Lesson,
    pages: int = 0,
    kernels: Callable[[], Mapping[int, float]] = dict,
) -> Course:
    """Let so many visitors come, one after the other within the time, and have the lesson.

    Parameters
    ----------
    pages
        How many of the visitors are pages in Chromium, which only look.
    kernels
        Gives the memory of each kernel, MB.
    """
    AsyncHTTPClient.configure(None, max_clients=2 * visitors)
    course, all_open, measured = Course(), asyncio.Event(), asyncio.Event()

    async def attend(number: int, browser: Browser | None) -> None:
        try:
            await asyncio.sleep(number * within_s / visitors)
            if browser:
                await _look(browser, f"{origin}/workbench?token={token}", course, come, measured)
            else:
                await _attend(Visitor(origin, token), course, lesson, come, measured)
        except (OSError, AssertionError, IndexError, TimeoutError, HTTPError, PlaywrightError) as error:
            all_open.set()  # nobody waits for this one
            course.failed.append(f"visitor {number}: {type(error).__name__}: {str(error)[:300]}")

    def come() -> None:
        if len(course.opened) + len(course.shown) == visitors:
            all_open.set()

    watching = asyncio.ensure_future(_watch(course, all_open, measured, kernels))
    async with _chromium() if pages else nullcontext() as browser:
        every = visitors // pages if pages else visitors + 1
        looking = set(range(every - 1, visitors, every)[:pages])
        await asyncio.gather(*(attend(n, browser if n in looking else None) for n in range(visitors)))
    watching.cancel()
    return course


@asynccontextmanager
async def _chromium() -> AsyncIterator[Browser]:
    program = chromium.find()
    if program is None:
        raise Unavailable("no Chromium is installed; CLASSROOM_PAGES=0 does without")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=list(chromium.FLAGS))
        try:
            yield browser
        finally:
            await browser.close()


async def _look(
    browser: Browser, login: str, course: Course, come: Callable[[], None], measured: asyncio.Event
) -> None:
    """Open the page in a browser of its own, wait for the first widget, and stay until all have it."""
    async with await browser.new_context() as context:
        page = await context.new_page()
        await page.goto(login, timeout=1e3 * PATIENCE_S)
        began = time.monotonic()
        await page.goto(login.partition("/workbench")[0] + f"/voila/render/{PAGE}", timeout=1e3 * PATIENCE_S)
        await page.locator(".jupyter-widgets:visible").first.wait_for(timeout=1e3 * PATIENCE_S)
        course.shown.append(time.monotonic() - began)
        come()
        await measured.wait()
        await page.goto("about:blank")


async def _attend(
    visitor: Visitor, course: Course, lesson: Lesson, come: Callable[[], None], measured: asyncio.Event
) -> None:
    """Open the page, have the lesson, and leave when all have the page."""
    try:
        course.opened.append(await visitor.open(PAGE, PATIENCE_S))
        come()
        if lesson.epochs:
            await _have(visitor, course, lesson)
        await measured.wait()
    finally:
        with suppress(OSError, HTTPError):
            await visitor.leave()


async def _have(visitor: Visitor, course: Course, lesson: Lesson) -> None:
    """Train, draw and publish."""
    nine = ink.decode((PROJECT / "notebooks" / "9.png").read_bytes())

    async def timed(kept: list[float], act: Awaitable[object]) -> None:
        began = time.monotonic()
        await act
        kept.append(time.monotonic() - began)

    async def train() -> None:
        await visitor.put(visitor.find("description", "Epochs"), value=lesson.epochs)
        await visitor.click("Train")
        ends = ("done", "failed")
        await visitor.until(lambda: any(visitor.has("state", end) for end in ends), PATIENCE_S)
        assert not visitor.has("state", "failed"), visitor.texts()
        await visitor.until(lambda: visitor.has("hint", "Draw here"), PATIENCE_S)

    async def draw() -> None:
        shares = await visitor.draw(nine, PATIENCE_S)
        assert shares.index(max(shares)) == 9, shares

    async def publish() -> None:
        await visitor.until(lambda: visitor.has("description", "Publish"), PATIENCE_S)
        # It waits for the evaluation, and does nothing before.
        await visitor.until(lambda: "that it had never seen" in visitor.texts(), PATIENCE_S)
        await visitor.click("Publish")
        await visitor.until(lambda: "Published as" in visitor.texts(), PATIENCE_S)

    await timed(course.trained, train())
    await timed(course.drawn, draw())
    await timed(course.published, publish())


async def _watch(
    course: Course,
    all_open: asyncio.Event,
    measured: asyncio.Event,
    kernels: Callable[[], Mapping[int, float]],
) -> None:
    """Keep the least free memory; and once all pages are open, what kernels take."""
    while True:
        course.lowest_free_mb = min(course.lowest_free_mb, psutil.virtual_memory().available / 1e6)
        if all_open.is_set() and not measured.is_set():
            course.kernel_mb = list((await asyncio.to_thread(kernels)).values())
            measured.set()
        await asyncio.sleep(SAMPLE_S)


@dataclass(frozen=True)
class Resources:
    """What the server holds."""

    kernels: int
    files: int
    mb: float


def _resources(server: Server) -> Resources:
    return Resources(len(_kernels(server)), server.process.num_fds(), server.process.memory_info().rss / 1e6)


def _at_rest(server: Server, before: Resources) -> Resources:
    """What it holds once it holds no more than before, or after a minute."""
    give_up = time.monotonic() + REST_S
    while (found := _resources(server)).files > before.files and time.monotonic() < give_up:
        time.sleep(SAMPLE_S)
    return found


def _middle(values: Sequence[float]) -> float:
    return statistics.median(values) if values else 0.0
