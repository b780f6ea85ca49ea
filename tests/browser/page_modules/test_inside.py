"""See inside: windows, numbers, places, and when the page looks."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run

pytestmark = pytest.mark.usefixtures("browser")


KERNEL = {
    "shape": [2, 1, 2, 2],
    "weights": [1, 2, 3, 4, -1, 0, 0, 0.5],
    "bias": [10, 0],
    "strides": [2, 2],
    "pads": [1, 1, 0, 0],
    "dilations": [1, 1],
}
GIVEN = {"width": 3, "height": 3, "planes": [[0, 51, 102, 153, 204, 255, 0, 0, 51]], "range": [0, 5]}


def test_a_window_is_what_its_pixel_was_made_of(page: Page) -> None:
    found = run(page, "inside/windows", "(m, ...a) => m.windowAt(...a)", KERNEL, GIVEN, 0, 1, 1)
    assert [cell["value"] for cell in found["cells"]] == [4, 5, 0, 1]
    assert [cell["weight"] for cell in found["cells"]] == [1, 2, 3, 4]
    assert found["sum"] == 10 + 4 + 10 + 0 + 4
    corner = run(page, "inside/windows", "(m, ...a) => m.windowAt(...a)", KERNEL, GIVEN, 1, 0, 0)
    assert [cell["value"] for cell in corner["cells"]] == [0, 0, 0, 0]
    assert [(cell["x"], cell["y"]) for cell in corner["cells"]] == [(-1, -1), (0, -1), (-1, 0), (0, 0)]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (0.004, "0"), (-0.4, "−.40"), (0.999, "1.0"), (12.4, "12"), (-9.96, "−10"), (1.25, "1.3")],
)
def test_a_number_fits_into_a_cell(page: Page, value: float, text: str) -> None:
    assert run(page, "inside/windows", "(m, v) => m.short(v)", value) == text


def test_the_place_that_spoke_most_is_said(page: Page) -> None:
    changes = [0.0] * 49
    changes[0], changes[24], changes[48] = 1.0, 3.0, -2.0
    assert run(page, "inside/windows", "(m, c) => m.where(c, 7, 1)", changes) == "middle"
    assert run(page, "inside/windows", "(m, c) => m.where(c, 7, -1)", changes) == "bottom right"
    assert run(page, "inside/windows", "(m, c) => m.where(c, 7, 1)", [0.0] * 49) == ""


@pytest.mark.parametrize(
    ("digit", "good", "bad", "said"),
    [
        (
            7,
            "top",
            "middle",
            "Blue spoke for a 7, most of all at the top; orange against it, most in the middle.",
        ),
        (8, "bottom left", "", "Blue spoke for an 8, most of all at the bottom left; nothing against it."),
        (3, "", "top", "Nothing spoke for a 3; orange against it, most at the top."),
        (3, "", "", "Nothing in the drawing spoke for a 3 or against it."),
    ],
)
def test_what_spoke_is_said_in_a_sentence(page: Page, digit: int, good: str, bad: str, said: str) -> None:
    assert run(page, "inside/windows", "(m, told) => m.spoke(...told)", [digit, good, bad]) == said


def looks(page: Page, *events: tuple[dict[str, Any], float]) -> list[Any]:
    """What is sent after each of the events, each at its time in ms."""
    code = """(m, events) => {
        let state = m.start;
        return events.map(([event, now]) => {
            const after = m.next(state, event, now);
            state = after.state;
            return after.send ?? after.wake ?? null;
        });
    }"""
    return list(run(page, "inside/looking", code, [list(pair) for pair in events]))


def test_one_look_at_a_time_and_never_before_the_panel_is_open(page: Page) -> None:
    answered = [{"type": "answered", "image": name} for name in "abc"]
    came = {"type": "came", "ok": True}
    assert looks(
        page,
        (answered[0], 0),
        ({"type": "opened"}, 10),
        (answered[1], 20),
        (answered[2], 30),
        (came, 40),
        ({"type": "woke"}, 160),
        (came, 170),
        (answered[2], 180),
    ) == [None, "a", None, None, 120, "c", None, None]


def test_a_refused_look_waits_before_the_next(page: Page) -> None:
    assert looks(
        page,
        ({"type": "opened"}, 0),
        ({"type": "answered", "image": "a"}, 0),
        ({"type": "came", "ok": False}, 100),
        ({"type": "woke"}, 1600),
    ) == [None, "a", 1500, "a"]


def test_only_the_first_convolution_is_said_to_look_at_the_drawing(page: Page) -> None:
    layer = {"kind": "convolution", "shape": [10, 12, 4], "after": "relu"}
    kernel = {"shape": [4, 1, 3, 5]}
    about = [run(page, "inside/says", "(m, ...a) => m.about(...a)", layer, kernel, first) for first in (1, 0)]
    each = "4 maps of 12 × 10, each made by one window of 5 × 3 that slides over"
    assert about == [
        f"{each} {over}, what is below zero is cut off" for over in ("the drawing", "the maps before")
    ]
