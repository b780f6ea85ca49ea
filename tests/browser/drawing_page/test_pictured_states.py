"""The states that ``make screenshots`` takes pictures of: each can be reached in the page of today."""

import pytest
from playwright.sync_api import Browser

from tests.browser.conftest import Front
from tests.screenshots.drawing import STATES, reached


@pytest.mark.parametrize("name", STATES)
def test_a_state_that_is_pictured_is_reached(browser: Browser, front: Front, name: str) -> None:
    with reached(browser, front.url, front.backend, name):
        pass
