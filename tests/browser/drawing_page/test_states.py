"""States of the drawing page: a model in training, a back end that is away, slow, busy or refuses."""

import contextlib
import re
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, THREE, content, draw, ink, mood, settled, visit
from tests.chain import make_settings, wait_until
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running


def test_while_the_first_model_is_trained_its_progress_is_shown_and_the_drawing_waits(
    browser: Browser, front: Front
) -> None:
    backend = front.backend
    backend.says["/readyz"] = stand_in.training(210)
    backend.says["/predict"] = stand_in.error(503, "no_model", "training the first model")
    with visit(browser, front.url, wait=False) as (page, seen):
        mood(page, "waiting")
        expect(page.get_by_text("The first model is being trained")).to_be_visible()
        expect(page.get_by_text("step 210 of 630")).to_be_visible()
        bar = page.get_by_role("progressbar")
        assert bar.evaluate("bar => bar.value") == pytest.approx(1 / 3, abs=0.01)
        draw(page, SEVEN)
        backend.says["/readyz"] = stand_in.training(420)
        expect(page.get_by_text("step 420 of 630")).to_be_visible()
        assert backend.count("/predict") == 0
        backend.says["/readyz"] = (503, {"state": "exporting", "message": "checking all formats"})
        expect(page.get_by_text("The first model is being prepared")).to_be_visible()
        assert bar.evaluate("bar => bar.hasAttribute('value')") is False
        backend.says["/readyz"], backend.says["/predict"] = stand_in.READY, stand_in.answer(7)
        expect(page.locator("#digit")).to_have_text("7")
        content(seen, front)


def test_a_look_inside_at_what_nobody_has_read_says_so(browser: Browser, front: Front) -> None:
    backend = front.backend
    backend.says["/readyz"] = stand_in.training(210)
    backend.says["/predict"] = stand_in.error(503, "no_model", "training the first model")
    with visit(browser, front.url, wait=False) as (page, _):
        draw(page, SEVEN)
        page.click("#look")
        expect(page.locator(".inside-status")).to_contain_text("No model has read your drawing yet")
        backend.says["/readyz"], backend.says["/predict"] = stand_in.READY, stand_in.answer(7)
        expect(page.locator(".inside-status")).to_be_hidden()


def test_only_who_came_from_the_workbench_is_shown_the_way_back(browser: Browser, front: Front) -> None:
    link = "#workbench"
    with visit(browser, front.url) as (page, _):
        expect(page.locator(link)).to_be_hidden()
        page.goto(f"{front.url}?dashboard=8888")
        expect(page.locator(link)).to_have_attribute("href", "http://127.0.0.1:8888/workbench")


def test_a_training_that_failed_is_told_with_its_reason(browser: Browser, front: Front) -> None:
    front.backend.says["/readyz"] = (503, {"state": "failed", "message": "the disk is full"})
    with visit(browser, front.url, wait=False) as (page, _):
        expect(page.get_by_text("The first model could not be trained")).to_be_visible()
        expect(page.get_by_text("The disk is full.")).to_be_visible()
        expect(page.locator("#bar")).to_be_hidden()


def test_while_the_back_end_is_away_it_says_so_keeps_the_drawing_and_recovers_by_itself(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    draw(page, SEVEN[:1])
    mood(page, "answer")
    settled(page)
    backend.stop()
    draw(page, SEVEN[1:])
    mood(page, "away")
    expect(page.get_by_text("Your drawing is kept")).to_be_visible()
    assert page.locator("#bars .value").all_inner_texts() == [""] * 10
    expect(page.get_by_role("button", name="No, it's a …")).to_be_hidden()
    whole = ink(page)
    draw(page, [[(40, 40), (60, 40)]])
    assert ink(page) > whole
    backend.start()
    mood(page, "answer")


def test_try_now_does_not_wait(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    page.clock.install()
    page.reload()
    expect(page.locator("#model")).not_to_be_empty()
    # From here on time passes when the test says so.
    page.clock.pause_at(datetime.now() + timedelta(minutes=1))
    backend.stop()
    draw(page, SEVEN)
    page.clock.run_for(300)  # the drawing is sent; the pause after what failed never ends
    mood(page, "away")
    backend.start()
    page.get_by_role("button", name="Try now").click()
    mood(page, "answer")


def test_the_front_end_going_away_is_no_different(
    browser: Browser, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    backend = stand_in.Backend()
    ports = {"WORKBENCH_FRONTEND_PORT": str(free_ports(1)[0]), "WORKBENCH_BACKEND_PORT": str(backend.port)}
    settings = make_settings(tmp_path, **ports)
    with contextlib.ExitStack() as stack:
        stack.callback(backend.stop)
        with running(settings) as service:
            page, seen = stack.enter_context(visit(browser, service.url))
        draw(page, SEVEN)
        mood(page, "away")
        with running(settings):
            mood(page, "answer")
        assert seen.complaints == []


def test_a_slow_answer_is_called_slow_and_shown_when_it_comes(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    answer = page.locator("#answer")
    expect(answer).to_have_attribute("aria-busy", "false")
    with backend.hold():
        draw(page, SEVEN)
        expect(page.locator("#time")).to_have_text("Taking longer than usual …")
        expect(answer).to_have_attribute("aria-busy", "true")
    mood(page, "answer")
    expect(answer).to_have_attribute("aria-busy", "false")
    expect(page.locator("#time")).to_have_text(re.compile(" ms"))


def test_a_busy_back_end_gets_a_pause_and_the_drawing_is_asked_about_by_itself(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    backend.says["/predict"] = stand_in.error(429, "too_many", "too many requests")
    backend.headers["Retry-After"] = "1"
    draw(page, SEVEN)
    mood(page, "limited")
    before, began = backend.count("/predict"), time.monotonic()
    draw(page, THREE)
    page.get_by_role("button", name="Predict").click()
    assert backend.count("/predict") <= before + 1 + (time.monotonic() - began), "one a second"
    backend.says["/predict"] = stand_in.answer(3)
    mood(page, "answer")


def test_nothing_drawn_is_an_answer_with_its_reason(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    backend.says["/predict"] = stand_in.NOTHING
    draw(page, [[(140, 140)]])
    mood(page, "nothing")
    expect(page.get_by_text("There is too little ink to be a digit.")).to_be_visible()
    expect(page.get_by_role("button", name="No, it's a …")).to_be_hidden()


def test_a_refusal_is_told_with_its_reason_and_can_be_tried_again(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    backend.says["/predict"] = stand_in.error(400, "bad_picture", "the PNG is <b>damaged</b>")
    draw(page, SEVEN)
    settled(page)
    mood(page, "problem")
    expect(page.locator("#text")).to_have_text("The PNG is <b>damaged</b>.")
    backend.says["/predict"] = stand_in.answer(7)
    page.get_by_role("button", name="Try again").click()
    mood(page, "answer")


def test_answers_that_break_the_contract_break_nothing(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    for said in (
        {"digit": 3},
        {"digit": 3, "probabilities": "x"},
        {"digit": 3, "probabilities": [1]},
        {"digit": 11},
    ):
        backend.says["/predict"] = (200, said)
        draw(page, SEVEN[:1])
        settled(page)
        mood(page, "problem")
        backend.says["/predict"] = stand_in.answer(7)
        page.get_by_role("button", name="Try again").click()
        mood(page, "answer")
        page.keyboard.press("Escape")


def test_what_answers_in_the_back_ends_place_is_not_pestered(opened: tuple[Page, stand_in.Backend]) -> None:
    """A login page of a network, for instance, which says 200 to everything."""
    page, backend = opened
    backend.says["/predict"] = (200, {})
    began = time.monotonic()
    draw(page, SEVEN[:1])
    page.wait_for_timeout(3000)
    wait_until(lambda: backend.count("/predict") > 1, 60, "another try")
    assert backend.count("/predict") <= 3 + (time.monotonic() - began)
    backend.says["/predict"] = stand_in.answer(7)
    mood(page, "answer")


def test_a_drawing_survives_a_reload(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    draw(page, SEVEN)
    whole = ink(page)
    page.reload()
    mood(page, "answer")
    assert ink(page) == whole
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("#model")).not_to_be_empty()
    assert ink(page) == 0
