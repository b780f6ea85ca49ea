"""Drawing on the page by mouse, finger and pen, and the picture that comes of it."""

import re

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, THREE, content, draw, ink, mood, sent, settled, spots, touch, visit
from tests.services import stand_in_backend as stand_in


def test_a_drawing_by_mouse_is_answered_while_it_is_drawn(opened: tuple[Page, stand_in.Backend]) -> None:
    page, backend = opened
    mood(page, "empty")
    draw(page, SEVEN[:1], lift=False)
    expect(page.locator("#digit")).to_have_text("7")
    page.mouse.up()
    draw(page, SEVEN[1:])
    settled(page)
    expect(page.locator("#first")).to_have_text("97.0 %")
    expect(page.locator("#second")).to_have_text("8")
    expect(page.locator("#bars li")).to_have_count(10)
    expect(page.locator("#bars li").nth(7)).to_have_text(re.compile(r"7\s*97.0 %"))
    expect(page.locator("#model")).to_have_text("mnist-cnn, version 3")
    expect(page.locator("#time")).to_have_text(re.compile(r"^[\d.,]+ ms, back end 0.9 ms$"))
    expect(page.locator("#seen img")).to_have_js_property("naturalWidth", 28)
    bodies = backend.bodies()
    assert all(set(body) == {"image"} for body in bodies)
    assert len(bodies) > 1
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
        with visit(browser, front.url, **how) as (page, _):
            draw(page, SEVEN)
            settled(page)
            pictures.append(sent(front.backend.bodies()[-1]).astype(int))
    for picture in pictures[1:]:
        assert np.abs(picture - pictures[0]).mean() < 4
