"""Which browser, and how it is started."""

import contextlib
import shutil
from collections.abc import Iterator
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Page, Playwright, expect

PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 120_000
"""What a page may take to show what is expected, or to let itself be clicked, on a computer that has much else to do."""
JOB_MS = 600_000
"""What a job may take there until it trains, or until it is done."""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def find() -> str | None:
    """The system's Chromium, or ``None`` where there is none."""
    return next(filter(None, map(shutil.which, PROGRAMS)), None)


def launch(playwright: Playwright, program: str) -> Browser:
    """Start it; from then on ``expect`` has patience, too."""
    expect.set_options(timeout=WAIT_MS)
    return playwright.chromium.launch(executable_path=program, args=list(FLAGS))


def open_context(browser: Browser, **how: Any) -> BrowserContext:
    """Open a context, by Playwright's ``new_context``, that has patience; the caller closes it."""
    context = browser.new_context(**how)
    context.set_default_timeout(WAIT_MS)
    return context


@contextlib.contextmanager
def open_page(browser: Browser, **how: Any) -> Iterator[Page]:
    """Open a page in a context of its own, by Playwright's ``new_context``."""
    context = open_context(browser, **how)
    try:
        yield context.new_page()
    finally:
        context.close()
