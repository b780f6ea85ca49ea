"""Somebody before the cluster's page, and the page as one sees it."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Locator, Page, expect

from tests.browser.chromium import JOB_MS, open_context
from workbench.settings import Settings


class Visitor:
    """Somebody before a browser."""

    def __init__(self, browser: Browser, origin: str, token: str, **how: Any) -> None:
        self.context: BrowserContext = open_context(
            browser, **{"viewport": {"width": 1280, "height": 900}, **how}
        )
        self.origin, self.token = origin, token
        self.errors: list[str] = []

    def open(self, query: str = "") -> "Screen":
        page = self.context.new_page()
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", self._console)
        page.on("request", lambda r: self._requested(r.url))
        page.goto(
            f"{self.origin}/voila/render/deploy_cluster.ipynb?token={self.token}{query}", wait_until="commit"
        )
        return Screen(page)

    def _console(self, message: ConsoleMessage) -> None:
        if "Content Security" in message.text:
            self.errors.append(message.text)

    def _requested(self, url: str) -> None:
        if not url.startswith((self.origin, "data:", "blob:")):
            self.errors.append(f"request to {url}")


class Screen:
    """The cluster's page as one sees it."""

    def __init__(self, page: Page) -> None:
        self.page = page
        expect(self.button("Train")).to_be_visible()

    def button(self, name: str) -> Locator:
        return self.page.get_by_role("button", name=name, exact=True)

    def field(self, name: str) -> Locator:
        return self.page.get_by_label(name, exact=True)

    @property
    def job(self) -> Locator:
        return self.page.locator(".wb-job")

    @property
    def hints(self) -> Locator:
        return self.page.locator(".wb-hints")

    @property
    def state(self) -> Locator:
        return self.job.locator(".wb-job-head .wb-badge")

    @property
    def jobs_count(self) -> Locator:
        """How many jobs the table has; sweeps have one of their own."""
        return self.page.locator(".wb-jobs .wb-table-count")

    def row(self, id: int) -> Locator:
        return self.page.locator(f"tr.wb-row[data-key='{id}']")

    def say_who(self, name: str) -> None:
        field = self.page.locator(".wb-requester input")
        expect(field).to_be_visible()
        field.fill(name)
        field.press("Enter")
        expect(self.button("Train")).to_be_enabled()

    def ask(self, recipe: str = "", **fields: str) -> None:
        """Fill the form."""
        if recipe:
            self.field("Begin with").select_option(label=recipe)
            expect(self.field("Model name")).to_have_value(recipe)
        for name, value in fields.items():
            self.field({"ps": "Parameter servers", "name": "Model name"}.get(name, name.capitalize())).fill(
                value
            )

    def code(self, tab: str) -> Locator:
        self.page.get_by_role("tab", name=tab).click()
        return self.page.get_by_role("textbox", name=tab)

    def train(self) -> int:
        """Press the button; the job's number."""
        self.button("Train").click()
        said = self.page.get_by_text(re.compile(r"Job \d+ is in the queue"))
        expect(said).to_be_visible(timeout=JOB_MS)  # the code is checked first, with TensorFlow
        id = int(re.findall(r"\d+", said.inner_text())[0])
        expect(self.job.locator(".wb-muted").first).to_contain_text(f"job {id} ")
        return id

    def terminate(self) -> None:
        self.button("Terminate").click()
        expect(self.job.get_by_text("and its machines?")).to_be_visible()
        self.button("Yes, terminate").click()

    def curve(self) -> tuple[str, int]:
        """Where the loss began, in words, and how many points the curve has."""
        svg = self.job.locator(".wb-curves svg").first
        said = svg.get_attribute("aria-label") or ""
        points = svg.locator("polyline").first.get_attribute("points") or ""
        return (re.findall(r"training from (\S+)", said) or [""])[0], len(points.split())


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Gives visitors, each with a browser of its own."""
    visitors: list[Visitor] = []

    def give(settings: Settings, **how: object) -> Visitor:
        origin = f"http://127.0.0.1:{settings.dashboard_port}"
        visitors.append(Visitor(browser, origin, settings.token, **how))
        return visitors[-1]

    yield give
    errors = [error for one in visitors for error in one.errors]
    for one in visitors:
        one.context.close()
    assert errors == []
