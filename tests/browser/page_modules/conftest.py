"""The drawing page, as it was loaded, for all tests of its modules."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import Front
from tests.browser.drawing import visit


@pytest.fixture(scope="package")
def page(browser: Browser, shared_front: Front) -> Iterator[Page]:
    shared_front.backend.start()
    with visit(browser, shared_front.url) as (page, _):
        yield page
