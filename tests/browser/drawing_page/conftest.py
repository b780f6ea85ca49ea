"""The drawing page in Chromium, through a real Apache, before a back end that does what the test wants."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Front
from tests.browser.drawing import content, visit
from tests.services import stand_in_backend as stand_in


@pytest.fixture
def opened(browser: Browser, front: Front) -> Iterator[tuple[Page, stand_in.Backend]]:
    """The page, ready; whatever the test does, it must complain of nothing and ask no other host."""
    with visit(browser, front.url) as (page, seen):
        yield page, front.backend
        content(seen, front)
