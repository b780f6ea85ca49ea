"""Looks and words of the drawing page: colours, widths, motion, and what screen readers are told."""

import numpy as np
import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.conftest import Front
from tests.browser.drawing import SEVEN, THREE, draw, listen, mood, resize, settled, visit
from tests.services import stand_in_backend as stand_in


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_colours_follow_the_system_and_texts_stand_out(
    browser: Browser, front: Front, scheme: str
) -> None:
    with visit(browser, front.url, color_scheme=scheme, reduced_motion="reduce") as (page, _):
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


def test_nothing_overflows_at_any_width(browser: Browser, front: Front) -> None:
    with visit(browser, front.url) as (page, _):
        draw(page, SEVEN)
        mood(page, "answer")
        page.click("#wrong")
        page.click("#look")
        page.locator(".inside-alike li").last.wait_for()
        for width in (320, 360, 412, 600, 768, 820, 1024, 1440):
            resize(page, width, 740)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            box = page.locator("#paper").bounding_box()
            assert box
            assert box["width"] >= 280
            assert box["width"] == pytest.approx(box["height"], abs=1)


SIZES = (
    (320, 568),
    (360, 664),
    (390, 700),
    (600, 960),
    (820, 1180),
    (667, 375),
    (844, 390),
    (1280, 620),
    (2560, 1440),
)
"""Phones upright and sideways, tablets, a low laptop, a large screen."""


def test_paper_and_answer_are_seen_together_without_scrolling(browser: Browser, front: Front) -> None:
    with visit(browser, front.url, viewport={"width": 360, "height": 664}) as (page, _):
        draw(page, SEVEN)
        mood(page, "answer")
        for width, height in SIZES:
            resize(page, width, height)
            assert all_in_window(page, "#paper", "#digit", "#seen", "#bars .top"), (width, height)


def test_the_film_of_the_first_training_leaves_paper_and_bars_in_sight(
    browser: Browser, front: Front
) -> None:
    """What the film takes for itself does not depend on what it shows."""
    front.backend.says["/readyz"] = stand_in.training(210)
    with visit(browser, front.url, wait=False) as (page, _):
        draw(page, SEVEN)
        mood(page, "waiting")
        page.evaluate("""() => {
            document.getElementById("film").hidden = false;
            document.getElementById("film-when").textContent = "after 2,000 steps";
        }""")
        for width, height in SIZES:
            resize(page, width, height)
            assert all_in_window(page, "#paper", "#film-steps", "#bars .bar"), (width, height)


def all_in_window(page: Page, *selectors: str) -> bool:
    """Say whether nothing of these elements is outside the window."""
    return bool(
        page.evaluate(
            """(selectors) => [...document.querySelectorAll(selectors.join())].every((one) => {
                const { top, left, bottom, right } = one.getBoundingClientRect();
                return top >= 0 && left >= 0 && bottom <= innerHeight && right <= innerWidth;
            })""",
            selectors,
        )
    )


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
    page, _ = opened
    listen(page)
    for _ in range(3):
        draw(page, SEVEN)
    expect(page.locator("#spoken")).to_have_text("7, 97.0 %. Second guess 8, 1.5 %.")
    draw(page, THREE)
    settled(page)
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


def test_the_second_guess_stands_in_one_line_with_its_probability(
    opened: tuple[Page, stand_in.Backend],
) -> None:
    page, _ = opened
    draw(page, SEVEN)
    mood(page, "answer")
    for width in (360, 800, 1120):
        resize(page, width, 860)
        digit, probability = (page.locator(name).bounding_box() for name in ("#second", "#second-percent"))
        assert digit is not None
        assert probability is not None
        assert abs(digit["y"] - probability["y"]) < digit["height"] / 2
