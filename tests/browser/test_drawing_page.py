"""The drawing page in Chromium, through a real Apache, before a back end that does what the test wants."""

import base64
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, THREE, Seen, draw, ink, spots, touch, visit
from tests.chain import make_settings, wait_until
from tests.services import stand_in_backend as stand_in
from tests.services.real_apache import running


@pytest.fixture
def opened(browser: Browser, front: Front) -> Iterator[tuple[Page, stand_in.Backend]]:
    """The page, ready; whatever the test does, it must complain of nothing and ask no other host."""
    with visit(browser, front.url) as (page, seen):
        yield page, front.backend
        content(seen, front)


def content(seen: Seen, front: Front) -> None:
    assert seen.complaints == []
    assert {url for url in seen.requests if not url.startswith((front.url, "data:", "blob:"))} == set()


def mood(page: Page, wanted: str) -> None:
    expect(page.locator("#answer")).to_have_attribute("data-mood", wanted)


def settled(page: Page, backend: stand_in.Backend) -> None:
    """The drawing as it is has been asked about and nothing is under way."""
    count = -1
    while count != (count := backend.count("/predict")):
        page.wait_for_timeout(300)


def sent(body: dict[str, Any]) -> np.ndarray:
    data = base64.b64decode(body["image"].partition(",")[2])
    decoded = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    assert decoded is not None
    return decoded


# ── drawing ──


def test_a_drawing_by_mouse_is_answered_while_it_is_drawn(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    mood(page, "empty")
    draw(page, SEVEN[:1], lift=False)
    expect(page.locator("#digit")).to_have_text("7")
    page.mouse.up()
    draw(page, SEVEN[1:])
    settled(page, backend)
    expect(page.locator("#first")).to_have_text("97.0 %")
    expect(page.locator("#second")).to_have_text("8")
    expect(page.locator("#bars li")).to_have_count(10)
    expect(page.locator("#bars li").nth(7)).to_have_text(re.compile(r"7\s*97.0 %"))
    expect(page.locator("#model")).to_have_text("mnist-cnn, version 3")
    expect(page.locator("#time")).to_have_text(re.compile(r"^[\d.,]+ ms, back end 0.9 ms$"))
    assert page.locator("#seen img").evaluate("image => image.naturalWidth") == 28
    bodies = backend.bodies()
    assert all(set(body) == {"image"} for body in bodies)
    assert len(bodies) > 2
    assert 1000 < (sent(bodies[-1]) > 127).sum() < 3000


def test_a_finger_draws_and_does_not_scroll_the_page(browser: Browser, front: Front) -> None:
    with visit(
        browser, front.url, has_touch=True, is_mobile=True, viewport={"width": 390, "height": 500}
    ) as (page, seen):
        touch(page, THREE)
        mood(page, "answer")
        assert page.evaluate("scrollY") == 0
        assert ink(page) > 1000
        content(seen, front)


def test_a_second_finger_draws_nothing(browser: Browser, front: Front) -> None:
    with visit(browser, front.url, has_touch=True) as (page, _):
        session = page.context.new_cdp_session(page)
        (x, y), (x2, y2) = spots(page, [(60, 60), (220, 220)])
        one, two = {"x": x, "y": y, "id": 0}, {"x": x2, "y": y2, "id": 1}
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [one]})
        session.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [one, two]})
        session.send(
            "Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [one, {**two, "x": x2 - 60}]}
        )
        session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
        page.click("#undo")
        assert ink(page) == 0


def test_a_line_goes_on_beyond_the_edge_of_the_paper_and_back(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    draw(page, [[(140, 140), (420, 140), (420, 200), (140, 200)]])
    page.click("#undo")
    assert ink(page) == 0  # it was one stroke


def test_only_the_main_button_draws(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    box = page.locator("canvas").bounding_box()
    assert box
    page.mouse.move(box["x"] + 50, box["y"] + 50)
    page.mouse.down(button="right")
    page.mouse.move(box["x"] + 150, box["y"] + 150)
    page.mouse.up(button="right")
    assert ink(page) == 0


def test_a_click_makes_a_dot(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    draw(page, [[(140, 140)]])
    assert 100 < ink(page) < 900
    mood(page, "answer")


def test_the_pen_is_round_and_as_wide_as_it_is_set(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    slider = page.get_by_label("Pen width")
    assert (slider.get_attribute("min"), slider.get_attribute("max"), slider.input_value()) == (
        "10",
        "50",
        "15",
    )
    areas = []
    for width in ("10", "15", "50"):
        slider.fill(width)
        expect(page.locator("#width-shown")).to_have_text(width)
        draw(page, [[(140, 140)]])
        areas.append(ink(page))
        page.keyboard.press("Escape")
    scale = page.locator("canvas").evaluate("canvas => canvas.width / 280")
    for wide, area in zip((10, 15, 50), areas, strict=True):
        assert area == pytest.approx(np.pi * (wide * scale / 2) ** 2, rel=0.12)


@pytest.mark.parametrize("density", [1, 2, 3])
def test_the_canvas_is_as_fine_as_the_screen(browser: Browser, front: Front, density: int) -> None:
    with visit(browser, front.url, device_scale_factor=density) as (page, _):
        box = page.locator("canvas").bounding_box()
        assert box
        assert page.locator("canvas").evaluate("canvas => canvas.width") == round(box["width"] * density)
        draw(page, SEVEN)
        assert ink(page) > 3000 * density**2


def test_a_drawing_is_the_same_picture_on_every_screen_and_in_every_colour(
    browser: Browser, front: Front
) -> None:
    pictures = []
    for how in (
        {"device_scale_factor": 1, "color_scheme": "light"},
        {"device_scale_factor": 3, "color_scheme": "dark"},
        {"viewport": {"width": 360, "height": 740}},
        {"forced_colors": "active"},
    ):
        front.backend.requests.clear()
        with visit(browser, front.url, **how) as (page, _):
            draw(page, SEVEN)
            settled(page, front.backend)
            pictures.append(sent(front.backend.bodies()[-1]).astype(int))
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).mean() < 4


# ── undo, clear, keys ──


def test_undo_redo_and_clear_by_button(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    undo, redo, clear = (
        page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo", "Clear")
    )
    for button in (undo, redo, clear):
        expect(button).to_be_disabled()
    draw(page, SEVEN)
    whole = ink(page)
    undo.click()
    part = ink(page)
    assert 0 < part < whole
    redo.click()
    assert ink(page) == whole
    clear.click()
    assert ink(page) == 0
    mood(page, "empty")
    expect(clear).to_be_disabled()
    undo.click()
    assert ink(page) == whole
    mood(page, "answer")


@pytest.mark.parametrize("modifier", ["Control", "Meta"])
def test_undo_redo_and_clear_by_key(opened: tuple[Page, stand_in.Backend], modifier: str) -> None:
    page, _ = opened
    draw(page, SEVEN)
    whole = ink(page)
    page.keyboard.press(f"{modifier}+z")
    assert 0 < ink(page) < whole
    page.keyboard.press(f"{modifier}+Shift+z")
    assert ink(page) == whole
    page.keyboard.press("Escape")
    assert ink(page) == 0
    page.keyboard.press(f"{modifier}+z")
    assert ink(page) == whole


def test_clearing_in_the_middle_of_a_stroke_ends_the_stroke(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN[:1], lift=False)
    page.keyboard.press("Escape")
    assert ink(page) == 0
    page.mouse.move(500, 500)
    page.mouse.up()
    assert ink(page) == 0
    settled(page, backend)
    mood(page, "empty")


def test_one_can_draw_with_the_keyboard_alone(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    for _ in range(10):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.tagName") == "CANVAS":
            break
    expect(page.locator("canvas")).to_be_focused()
    expect(page.locator("#ring")).to_be_visible()
    page.keyboard.press("ArrowUp")
    assert ink(page) == 0
    page.keyboard.press("Space")
    expect(page.locator("#spoken")).to_have_text("Pen down.")
    for key in ["ArrowRight"] * 8 + ["End"] * 8:
        page.keyboard.press(key)
    page.keyboard.press("Space")
    expect(page.locator("#spoken")).to_have_text("Pen up.")
    drawn = ink(page)
    assert drawn > 1000
    page.keyboard.press("ArrowLeft")
    assert ink(page) == drawn
    settled(page, backend)
    before = backend.count("/predict")
    page.keyboard.press("Enter")
    wait_until(lambda: backend.count("/predict") > before, 5, "a prediction by Enter")
    page.keyboard.press("Control+z")
    assert ink(page) == 0


def test_every_control_can_be_reached_by_tab_and_shows_its_focus(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    draw(page, SEVEN)
    page.keyboard.press("Control+z")
    settled(page, backend)
    page.focus("#theme")
    reached = []
    for _ in range(9):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.tagName"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none", reached[-1]
    assert reached == [
        "paper", "width", "undo", "redo", "clear", "predict", "wrong", "look", "SUMMARY",
    ]  # fmt: skip


# ── asking ──


def test_predict_asks_again(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page, backend)
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
        page.wait_for_timeout(300)
        assert backend.count("/predict") == 1
    settled(page, backend)
    assert backend.count("/predict") == 2
    assert backend.most_at_once == 1
    mood(page, "answer")
    page.get_by_role("button", name="Predict").click()
    wait_until(lambda: backend.count("/predict") == 3, 5, "the whole drawing once more")
    first, latest, whole = (body["image"] for body in backend.bodies())
    assert first != latest == whole


def test_an_answer_that_comes_after_clear_is_dropped(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    with backend.hold():
        draw(page, SEVEN)
        wait_until(lambda: backend.count("/predict") == 1, 5, "a prediction")
        page.keyboard.press("Escape")
    settled(page, backend)
    mood(page, "empty")
    expect(page.locator("#digit")).to_have_text("")


def test_many_strokes_send_no_more_than_the_pace_allows(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    began = time.monotonic()
    for _ in range(4):
        draw(page, SEVEN)
    settled(page, backend)
    assert backend.count("/predict") <= (time.monotonic() - began) / 0.125 + 2


# ── states ──


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
    settled(page, backend)
    backend.stop()
    draw(page, SEVEN[1:])
    mood(page, "away")
    expect(page.get_by_text("Your drawing is kept")).to_be_visible()
    expect(page.get_by_role("button", name="No, it's a …")).to_be_hidden()
    whole = ink(page)
    draw(page, [[(40, 40), (60, 40)]])
    assert ink(page) > whole
    backend.start()
    mood(page, "answer")


def test_try_now_does_not_wait(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    backend.stop()
    draw(page, SEVEN)
    mood(page, "away")
    page.wait_for_timeout(3500)  # the pauses have become long
    backend.start()
    page.get_by_role("button", name="Try now").click()
    expect(page.locator("#answer")).to_have_attribute("data-mood", "answer", timeout=1000)


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
    with backend.hold():
        draw(page, SEVEN)
        expect(page.locator("#time")).to_have_text("Taking longer than usual …")
    mood(page, "answer")
    expect(page.locator("#time")).to_have_text(re.compile(" ms"))


def test_a_busy_back_end_gets_a_pause_and_the_drawing_is_asked_about_by_itself(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    backend.says["/predict"] = stand_in.error(429, "too_many", "too many requests")
    backend.headers["Retry-After"] = "1"
    draw(page, SEVEN)
    mood(page, "limited")
    before = backend.count("/predict")
    draw(page, THREE)
    page.get_by_role("button", name="Predict").click()
    assert backend.count("/predict") <= before + 1
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
    settled(page, backend)
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
        settled(page, backend)
        mood(page, "problem")
        backend.says["/predict"] = stand_in.answer(7)
        page.get_by_role("button", name="Try again").click()
        mood(page, "answer")
        page.keyboard.press("Escape")


def test_what_answers_in_the_back_ends_place_is_not_pestered(opened: tuple[Page, stand_in.Backend]) -> None:
    """A login page of a network, for instance, which says 200 to everything."""
    page, backend = opened
    backend.says["/predict"] = (200, {})
    draw(page, SEVEN[:1])
    page.wait_for_timeout(3000)
    assert 2 <= backend.count("/predict") <= 6
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


# ── corrections ──


def test_a_wrong_answer_is_corrected(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page, backend)
    page.get_by_role("button", name="No, it's a …").click()
    chooser = page.get_by_role("group", name="Which digit is it?")
    expect(chooser.get_by_role("button")).to_have_count(10)
    expect(chooser.get_by_role("button", name="7")).to_be_disabled()
    chooser.get_by_role("button", name="1").click()
    expect(page.get_by_text("Thank you. Noted: a 1, to be reviewed.")).to_be_visible()
    expect(chooser).to_be_hidden()
    (correction,) = backend.bodies("/corrections")
    assert correction == {"image": backend.bodies()[-1]["image"], "predicted": 7, "digit": 1}
    draw(page, THREE)
    expect(page.get_by_role("button", name="No, it's a …")).to_be_visible()


def test_a_correction_by_keyboard_and_escape_closes_the_chooser_alone(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page, backend)
    wrong = page.get_by_role("button", name="No, it's a …")
    wrong.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#digits button").first).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#digits")).to_be_hidden()
    expect(wrong).to_be_focused()
    assert ink(page) > 0
    page.keyboard.press("Enter")
    page.keyboard.press("4")
    expect(page.locator("#thanks")).to_contain_text("Noted: a 4")
    expect(page.locator("#thanks")).to_be_focused()
    assert [body["digit"] for body in backend.bodies("/corrections")] == [4]


@pytest.mark.parametrize(
    ("says", "told", "again"),
    [
        (stand_in.error(501, "not_implemented", "not yet"), "does not collect corrections yet", False),
        (stand_in.error(400, "bad", "that is no digit"), "Not noted. That is no digit.", True),
        (stand_in.error(429, "too_many", "slowly"), "busy", True),
        (stand_in.error(503, "away", "away"), "the back end is away", True),
    ],
)
def test_a_correction_that_is_not_taken_is_told_kindly(
    opened: tuple[Page, stand_in.Backend], says: stand_in.Answer, told: str, again: bool
) -> None:
    page, backend = opened
    backend.says["/corrections"] = says
    draw(page, SEVEN)
    settled(page, backend)
    page.click("#wrong")
    page.click("#digits button:text('1')")
    expect(page.locator("#thanks")).to_contain_text(told)
    expect(page.locator("#wrong")).to_be_visible(visible=again)


def kept(secret: str) -> stand_in.Answer:
    return 201, {"id": "1", "state": "waiting", "new": True, "secret": secret}


def correct(page: Page, digit: int) -> None:
    page.get_by_role("button", name="No, it's a …").click()
    page.locator("#digits button", has_text=str(digit)).click()
    expect(page.locator("#thanks")).to_contain_text(f"Noted: a {digit}")


def test_a_correction_is_taken_back_by_the_secret_that_came_with_it(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    backend.says["/corrections"] = kept("one")
    draw(page, SEVEN)
    settled(page, backend)
    expect(page.locator("#given")).to_be_hidden()
    correct(page, 1)
    backend.says["/corrections"] = (200, {"taken_back": 1, "reviewed": 0, "unknown": 0})
    page.get_by_role("button", name="Take it back").click()
    expect(page.get_by_text("Taken back: the 1 is not kept.")).to_be_visible()
    expect(page.locator("#thanks")).to_be_focused()
    assert backend.bodies("/corrections")[-1] == {"take_back": ["one"]}
    expect(page.locator("#given")).to_be_hidden()
    backend.says["/corrections"] = kept("two")
    correct(page, 4)


def test_corrections_can_be_taken_back_later_and_after_a_reload_the_latest_first(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    for digit, lines in ((1, SEVEN), (4, THREE)):
        backend.says["/corrections"] = kept(f"secret {digit}")
        page.keyboard.press("Escape")
        draw(page, lines)
        settled(page, backend)
        correct(page, digit)
    page.reload()
    expect(page.locator("#given")).to_contain_text("You noted 2 digits, the last one a 4.")
    backend.says["/corrections"] = stand_in.error(503, "busy", "busy")
    back = page.get_by_role("button", name="Take it back")
    back.click()
    expect(page.get_by_text("Not taken back yet")).to_be_visible()
    backend.says["/corrections"] = stand_in.error(409, "conflict", "reviewed")
    back.click()
    expect(page.get_by_text("The 4 was reviewed already, so it stays.")).to_be_visible()
    backend.says["/corrections"] = stand_in.error(404, "not_found", "gone")
    expect(page.locator("#given")).to_contain_text("You noted a 1.")
    back.click()
    expect(page.get_by_text("Taken back: the 1 is not kept.")).to_be_visible()
    expect(page.locator("#given")).to_be_hidden()
    asked = [body["take_back"] for body in backend.bodies("/corrections") if "take_back" in body]
    assert asked == [["secret 4"], ["secret 4"], ["secret 1"]]


# ── doubt ──


def test_what_is_no_digit_is_called_so_and_the_guess_is_grey(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN)
    settled(page, backend)
    blue = page.locator("#digit").evaluate("e => getComputedStyle(e).color")
    backend.says["/predict"] = stand_in.answer(4, doubt={"kind": "no_digit", "score": 0.93})
    page.get_by_role("button", name="Predict").click()
    expect(page.get_by_text("I don't see a digit", exact=True)).to_be_visible()
    expect(page.locator(".first")).to_have_text("If it is one: 97.0 %")
    expect(page.locator("#digit")).to_have_text("4")
    assert page.locator("#digit").evaluate("e => getComputedStyle(e).color") != blue
    expect(page.locator("#bars .top")).to_have_count(0)
    expect(page.locator("#take")).to_be_hidden()
    expect(page.locator("#spoken")).to_contain_text("I don't see a digit. If it is one: 4")
    expect(page.get_by_role("button", name="No, it's a …")).to_be_visible()


def test_two_digits_are_read_one_by_one_when_the_visitor_wants_it(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    parts = [{"digit": 4, "probabilities": [0.1] * 10}, {"digit": 2, "probabilities": [0.1] * 10}]
    backend.says["/predict"] = stand_in.answer(
        9, sure=0.57, doubt={"kind": "several", "score": 0.9}, parts=parts
    )
    draw(page, SEVEN)
    settled(page, backend)
    expect(page.get_by_text("Two digits? 4 and 2", exact=True)).to_be_visible()
    expect(page.locator(".first")).to_have_text("As one digit: 57.0 %")
    page.get_by_role("button", name="Read 42").click()
    expect(page.locator("#digit")).to_have_text("42")
    expect(page.locator(".first")).to_have_text("90.0 %")
    expect(page.locator("#doubt")).to_be_hidden()
    expect(page.locator("#wrong")).to_be_hidden()
    draw(page, [[(40, 40), (44, 44)]])  # the same drawing goes on
    settled(page, backend)
    expect(page.locator("#digit")).to_have_text("42")
    page.get_by_role("button", name="As one digit").click()
    expect(page.locator("#digit")).to_have_text("9")
    page.get_by_role("button", name="Read 42").click()
    page.keyboard.press("Escape")
    draw(page, THREE)
    settled(page, backend)
    expect(page.locator("#digit")).to_have_text("9")


# ── looks and words ──


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_follow_the_system_and_texts_stand_out(
    browser: Browser, front: Front, scheme: str
) -> None:
    with visit(browser, front.url, color_scheme=scheme) as (page, _):
        draw(page, SEVEN)
        mood(page, "answer")
        page.click("#wrong")
        assert (luminance(page, "body", "backgroundColor") > 0.5) == (scheme == "light")
        assert (luminance(page, "canvas", "color") > 0.5) == (scheme == "dark")
        for text in (
            "h1",
            ".intro p",
            "#digit",
            "#first",
            ".second",
            "#bars li",
            "#model",
            "footer p",
            "summary",
            "figcaption",
        ):
            assert (
                contrast(luminance(page, text, "color"), luminance(page, "body", "backgroundColor")) >= 4.5
            ), text
        assert (
            contrast(luminance(page, "#predict", "color"), luminance(page, "#predict", "backgroundColor"))
            >= 4.5
        )


def luminance(page: Page, selector: str, name: str) -> float:
    """WCAG's relative luminance of a computed colour."""
    colour = page.locator(selector).first.evaluate(
        """(element, name) => {
            const context = new OffscreenCanvas(1, 1).getContext("2d");
            context.fillStyle = getComputedStyle(element)[name];
            context.fillRect(0, 0, 1, 1);
            return [...context.getImageData(0, 0, 1, 1).data];
        }""",
        name,
    )
    linear = [
        v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in (c / 255 for c in colour[:3])
    ]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def contrast(one: float, other: float) -> float:
    light, dark = max(one, other), min(one, other)
    return (light + 0.05) / (dark + 0.05)


def test_a_chosen_colour_scheme_is_kept(browser: Browser, front: Front) -> None:
    with visit(browser, front.url, color_scheme="light") as (page, _):
        button = page.get_by_role("button", name="Colours")
        button.click()
        button.click()
        expect(button).to_have_attribute("aria-label", "Colours: dark")
        assert luminance(page, "body", "backgroundColor") < 0.1
        page.reload()
        expect(button).to_have_attribute("aria-label", "Colours: dark")
        assert luminance(page, "body", "backgroundColor") < 0.1
        button.click()
        assert luminance(page, "body", "backgroundColor") > 0.5


@pytest.mark.parametrize("width", [320, 360, 412, 768, 1024, 1440])
def test_nothing_overflows_at_any_width(browser: Browser, front: Front, width: int) -> None:
    with visit(browser, front.url, viewport={"width": width, "height": 740}) as (page, _):
        draw(page, SEVEN)
        mood(page, "answer")
        page.click("#wrong")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        box = page.locator("canvas").bounding_box()
        assert box
        assert box["width"] >= 280
        assert box["width"] == pytest.approx(box["height"], abs=1)


def test_on_a_phone_the_answer_is_seen_below_the_paper_without_scrolling(
    browser: Browser, front: Front
) -> None:
    with visit(browser, front.url, viewport={"width": 360, "height": 664}) as (page, _):
        draw(page, SEVEN)
        mood(page, "answer")
        box = page.locator("#digit").bounding_box()
        assert box
        assert box["y"] + box["height"] <= 664


def test_the_page_does_not_jump_when_the_answer_comes(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    before = page.locator("#bars").bounding_box(), page.locator("#model").bounding_box()
    draw(page, SEVEN)
    mood(page, "answer")
    assert (page.locator("#bars").bounding_box(), page.locator("#model").bounding_box()) == before


def test_who_wants_no_motion_gets_none(browser: Browser, front: Front) -> None:
    with visit(browser, front.url, reduced_motion="reduce") as (page, _):
        moving = page.evaluate("document.getAnimations().length")
        draw(page, SEVEN)
        mood(page, "answer")
        page.get_by_role("button", name="Predict").click()
        assert (moving, page.evaluate("document.getAnimations().length")) == (0, 0)


def test_screen_readers_are_told_an_answer_once_and_only_when_the_pen_rests(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, backend = opened
    page.evaluate(
        """() => {
            globalThis.told = [];
            new MutationObserver(() => told.push(document.getElementById("spoken").textContent))
                .observe(document.getElementById("spoken"), { childList: true, characterData: true, subtree: true });
        }"""
    )
    for _ in range(3):
        draw(page, SEVEN)
    expect(page.locator("#spoken")).to_have_text("7, 97.0 %. Second guess 8, 1.5 %.")
    draw(page, THREE)
    settled(page, backend)
    page.wait_for_timeout(900)
    assert page.evaluate("told") == ["7, 97.0 %. Second guess 8, 1.5 %."]


def test_every_control_has_a_name(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    assert page.title() == "Draw a digit"
    expect(page.get_by_role("heading", name="Draw a digit")).to_be_visible()
    for role, name in (
        ("application", "Paper"), ("slider", "Pen width"), ("button", "Undo"), ("button", "Redo"), ("button", "Clear"),
        ("button", "Predict"), ("button", "Colours: as the system"), ("list", "Probability of each digit"),
        ("region", "Answer"), ("region", "Drawing"),
    ):  # fmt: skip
        expect(page.get_by_role(role, name=name, exact=True)).to_have_count(1)  # type: ignore[arg-type]


# ── the other layout ──


def test_the_back_end_may_be_of_another_origin(
    browser: Browser, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    backend = stand_in.Backend()
    port, nobody = free_ports(2)
    settings = make_settings(
        tmp_path,
        WORKBENCH_FRONTEND_PORT=str(port),
        WORKBENCH_BACKEND_PORT=str(nobody),
        WORKBENCH_BACKEND_URL=backend.url,
    )
    try:
        with running(settings) as service, visit(browser, service.url) as (page, seen):
            draw(page, SEVEN)
            mood(page, "answer")
            assert seen.complaints == []
            assert f"{backend.url}/predict" in seen.requests
            assert not [url for url in seen.requests if "/api/" in url]
    finally:
        backend.stop()


def test_a_notice_stands_above_the_page_as_text_and_without_one_there_is_no_room_for_it(
    browser: Browser, front: Front, tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    notice = 'Only a <b>"demo"</b>'
    settings = make_settings(
        tmp_path,
        WORKBENCH_FRONTEND_PORT=str(free_ports(1)[0]),
        WORKBENCH_BACKEND_PORT=str(front.backend.port),
        WORKBENCH_NOTICE=notice,
    )
    with running(settings) as service, visit(browser, service.url) as (page, seen):
        expect(page.get_by_role("note")).to_have_text(notice)
        assert seen.complaints == []
    with visit(browser, front.url) as (page, _):
        expect(page.locator("#remark")).to_be_hidden()


def test_the_policy_stops_what_is_not_the_pages_own(browser: Browser, front: Front) -> None:
    with visit(browser, front.url) as (page, _):
        directives, ran = page.evaluate(
            """(elsewhere) => new Promise((resolve) => {
                const seen = [];
                addEventListener("securitypolicyviolation", (event) => seen.push(event.effectiveDirective));
                const image = new Image();
                image.src = `${elsewhere}/x.png`;
                document.body.append(image);
                fetch(elsewhere).catch(() => {});
                const script = document.createElement("script");
                try { script.textContent = "globalThis.ran = true"; } catch { seen.push("trusted-types"); }
                document.body.append(script);
                setTimeout(() => resolve([seen, globalThis.ran ?? false]), 300);
            })""",
            "http://127.0.0.1:9",
        )
        assert {"img-src", "connect-src", "trusted-types"} <= set(directives)
        assert ran is False


# ── see inside ──


def test_the_layers_follow_the_pen_once_the_panel_is_open(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    draw(page, SEVEN[:1])
    mood(page, "answer")
    settled(page, backend)
    assert backend.count("/inside") == 0
    page.click("#look")
    expect(page.locator(".inside-layers > li")).to_have_count(3)
    expect(page.locator(".inside-layers > li").nth(2)).to_contain_text("Not shown: numbers in this order")
    expect(page.locator(".inside-alike li")).to_have_count(5)
    expect(page.locator(".inside-why p")).to_contain_text("most of all at the top")
    before = len(backend.bodies("/inside"))
    draw(page, SEVEN[1:])
    settled(page, backend)
    wait_until(
        lambda: backend.bodies("/inside")[-1] == backend.bodies()[-1], 30, "a look at the last drawing"
    )
    assert len(backend.bodies("/inside")) > before
    page.click("#look")
    expect(page.locator("#layers")).to_be_hidden()


def test_a_pixel_of_a_map_shows_its_window_and_weights(opened: tuple[Page, stand_in.Backend]) -> None:
    page, _ = opened
    draw(page, SEVEN)
    page.click("#look")
    first = page.locator(".inside-map").first
    first.hover()
    expect(page.locator(".inside-window")).to_have_count(2)
    expect(page.locator(".inside-result")).to_contain_text("each cell times its weight")
    page.locator(".inside-choice button").last.focus()
    page.keyboard.press("Tab")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#spoken")).to_contain_text("look, map 1, column 27, row 1")
    page.keyboard.press("PageDown")
    expect(page.locator("#spoken")).to_contain_text("look, map 2, column")


def test_a_model_that_cannot_be_looked_into_says_why(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    backend.says["/inside"] = stand_in.error(
        422, "model_refused", "it has no model.onnx, and nothing else can be seen into"
    )
    draw(page, SEVEN)
    page.click("#look")
    expect(page.locator(".inside-status")).to_contain_text("it has no model.onnx")
    mood(page, "answer")
