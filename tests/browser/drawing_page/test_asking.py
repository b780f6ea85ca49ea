"""Questions that the drawing page asks of the back end: when, how often, and which answer counts."""

import time

from playwright.sync_api import Page, expect

from tests.browser.drawing import SEVEN, THREE, draw, mood, settled
from tests.chain import wait_until
from tests.services import stand_in_backend as stand_in


def test_predict_asks_again(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page)
    before = backend.count("/predict")
    backend.says["/predict"] = stand_in.answer(1)
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#digit")).to_have_text("1")
    assert backend.count("/predict") == before + 1


def test_predict_on_an_empty_paper_asks_nothing_and_says_so(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    page.get_by_role("button", name="Predict").click()
    expect(page.locator("#spoken")).to_have_text("Nothing is drawn yet.")
    assert backend.count("/predict") == 0


def test_one_request_is_in_flight_and_the_latest_drawing_wins(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    with backend.hold():
        draw(page, SEVEN)
        draw(page, THREE)
        page.get_by_role("button", name="Predict").click()
        wait_until(lambda: backend.count("/predict") == 1, 60, "the first drawing")
        page.wait_for_timeout(300)
        assert backend.count("/predict") == 1
    settled(page)
    assert backend.count("/predict") == 2
    assert backend.most_at_once == 1
    mood(page, "answer")
    page.get_by_role("button", name="Predict").click()
    wait_until(lambda: backend.count("/predict") == 3, 60, "the whole drawing once more")
    first, latest, whole = (body["image"] for body in backend.bodies())
    assert first != latest == whole


def test_an_answer_that_comes_after_clear_is_dropped(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    with backend.hold():
        draw(page, SEVEN)
        wait_until(lambda: backend.count("/predict") == 1, 60, "a prediction")
        page.keyboard.press("Escape")
    settled(page)
    mood(page, "empty")
    expect(page.locator("#digit")).to_have_text("")


def test_many_strokes_send_no_more_than_the_pace_allows(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    began = time.monotonic()
    for _ in range(4):
        draw(page, SEVEN)
    settled(page)
    assert backend.count("/predict") <= (time.monotonic() - began) / 0.125 + 2
