"""What was drawn: undone, redone, cleared, kept and restored."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run, stroke

pytestmark = pytest.mark.usefixtures("browser")


def history(page: Page, code: str) -> list[int]:
    """The numbers of strokes after each step that ``code`` lists."""
    script = f"""(m) => {{
        const stroke = {{width: 15, points: [[100, 100]]}};
        const draw = (h) => m.drawn(h, stroke), undo = m.undone, redo = m.redone, clear = m.cleared;
        let h = m.blank;
        return {code}.map((step) => {{ h = step(h); return h.drawing.length; }});
    }}"""
    return list(run(page, "drawing", script))


def test_what_was_drawn_is_undone_and_redone_in_order(page: Page) -> None:
    assert history(page, "[draw, draw, undo, undo, undo, redo, redo, redo]") == [1, 2, 1, 0, 0, 1, 2, 2]


def test_clearing_can_be_undone(page: Page) -> None:
    assert history(page, "[draw, draw, clear, clear, undo, undo]") == [1, 2, 0, 0, 2, 1]


def test_drawing_after_an_undo_forgets_what_was_undone(page: Page) -> None:
    assert history(page, "[draw, draw, undo, draw, redo]") == [1, 2, 1, 2, 2]


def test_a_stroke_that_never_touches_the_paper_is_none(page: Page) -> None:
    code = "(m, points) => m.drawn(m.blank, {width: 15, points}).drawing.length"
    assert run(page, "drawing", code, [[-20, -20], [-30, 40]]) == 0
    assert run(page, "drawing", code, [[-5, 140]]) == 1


@pytest.mark.parametrize(
    "text", ["", "x", "null", "{}", "[1]", '[{"width":15}]', '[{"width":999,"points":[[1,2]]}]',
             '[{"width":15,"points":[[1,"2"]]}]', '[{"width":15,"points":[]}]', "[null]"],
)  # fmt: skip
def test_what_is_no_saved_drawing_restores_as_an_empty_one(page: Page, text: str) -> None:
    assert run(page, "drawing", "(m, text) => m.restored(text)", text) == []


EARLIER = {"drawing": [stroke((1, 2), (3, 4))], "text": "7", "sure": 0.9}


def test_of_earlier_drawings_the_newest_dozen_is_kept_and_each_once(page: Page) -> None:
    code = """(m, first) => {
        let list = [];
        for (let i = 0; i < 20; i++) list = m.noted(list, { ...first, drawing: [{ width: 15, points: [[i, i]] }] });
        return [list.length, m.noted(list, list[3]).map((one) => one.drawing[0].points[0][0])];
    }"""
    assert run(page, "earlier", code, EARLIER) == [12, [16, 19, 18, 17, *range(15, 7, -1)]]


@pytest.mark.parametrize(
    ("kept", "sound"),
    [
        ([EARLIER], 1),
        ([EARLIER, {**EARLIER, "drawing": []}, {**EARLIER, "sure": "much"}, {**EARLIER, "text": "x" * 99}, None], 1),
        ([EARLIER] * 40, 12),
        ({}, 0),
        ("x", 0),
    ],
)  # fmt: skip
def test_earlier_drawings_are_read_back_as_far_as_they_are_sound(page: Page, kept: Any, sound: int) -> None:
    found = run(page, "earlier", "(m, text) => m.restored(text)", json.dumps(kept))
    assert found == [EARLIER] * sound


def test_a_saved_drawing_is_restored(page: Page) -> None:
    drawing = [stroke((1.5, 2), (3, 4))]
    assert run(page, "drawing", "(m, text) => m.restored(text)", json.dumps(drawing)) == drawing
