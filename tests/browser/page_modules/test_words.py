"""What answers mean, and what is said of them."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run

pytestmark = pytest.mark.usefixtures("browser")


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"digit": 7, "probabilities": [0.1] * 10, "model": "m", "version": 1}, "answer"),
        (200, {"digit": None, "reason": "nothing drawn"}, "answer"),
        (200, {"login": "please"}, "away"),
        (400, {"error": {"code": "x", "message": "damaged"}}, "refused"),
        (413, {}, "refused"),
        (429, {}, "limited"),
        (500, {}, "refused"),
        (502, {}, "away"),
        (503, {"state": "training"}, "unready"),
        (504, {}, "away"),
        (507, {"error": {"code": "disk_full", "message": "the back end's disk is full"}}, "refused"),
        (302, {}, "away"),
    ],
)
def test_every_answer_to_a_drawing_has_a_meaning(
    page: Page, status: int, body: dict[str, Any], kind: str
) -> None:
    assert (
        run(page, "backend", "(m, status, body) => m.prediction(status, body, null)", status, body)["kind"]
        == kind
    )


def test_a_busy_back_end_is_asked_again_when_it_says_so(page: Page) -> None:
    code = "(m, code, wait) => m.prediction(503, {error: {code, message: ''}}, wait)"
    assert run(page, "backend", code, "busy", "2") == {"kind": "limited", "pause": 2000}
    assert run(page, "backend", code, "no_model", "5") == {"kind": "unready"}
    assert run(page, "backend", code, "busy", None) == {"kind": "unready"}


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (200, {"state": "ready"}, "ready"),
        (200, {"state": "training", "step": 3, "of": 9}, "waiting"),
        (503, {"state": "training"}, "waiting"),
        (200, {"state": "leaving"}, "away"),
        (503, {}, "away"),
        (502, {}, "away"),
    ],
)
def test_whether_it_is_ready_is_told_by_its_state_too(
    page: Page, status: int, body: dict[str, Any], kind: str
) -> None:
    code = "(m, status, body) => m.readiness(status, body).kind"
    assert run(page, "backend", code, status, body) == kind


def test_a_pause_is_as_long_as_asked_for_within_reason(page: Page) -> None:
    code = "(m, wait) => m.prediction(429, {}, wait).pause"
    assert [run(page, "backend", code, wait) for wait in ("3", "0", "9999", "soon", None)] == [
        3000, 1000, 60000, None, None,
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0, "<0.1 %"),
        (0.0004, "<0.1 %"),
        (0.001, "0.1 %"),
        (0.98234, "98.2 %"),
        (0.9999, ">99.9 %"),
        (1, ">99.9 %"),
    ],
)
def test_no_probability_is_shown_as_more_certain_than_it_is(page: Page, p: float, text: str) -> None:
    assert run(page, "words", "(m, p) => m.percent(p)", p) == text


def test_progress_is_announced_by_quarters(page: Page) -> None:
    code = """(m, step) => m.announcement({link: "waiting", inked: false,
        progress: {state: "training", message: "step " + step, step, of: 100}})"""
    said = [run(page, "words", code, step) for step in range(0, 101, 5)]
    assert len(set(said[1:])) == 5
    assert "50 percent" in run(page, "words", code, 60)


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        ({"doubt": None}, ""),
        ({}, ""),
        ({"doubt": {"kind": "no_digit", "score": 0.9}}, "I don't see a digit"),
        ({"doubt": {"kind": "several"}, "parts": [{"digit": 4}, {"digit": 2}]}, "Two digits? 4 and 2"),
        (
            {"doubt": {"kind": "several"}, "parts": [{"digit": 4}, {"digit": 2}, {"digit": 0}]},
            "Three digits? 4, 2 and 0",
        ),
    ],
)
def test_doubt_is_said_as_what_it_is(page: Page, answer: dict[str, Any], text: str) -> None:
    assert run(page, "doubt", "(m, a) => m.doubt(a)", answer) == text


def test_pieces_are_offered_as_what_they_are_together(page: Page) -> None:
    several = {"doubt": {"kind": "several"}, "parts": [{"digit": 4}, {"digit": 0}, {"digit": 2}]}
    assert run(page, "doubt", "(m, a) => m.offer(a)", several) == "Read 402"
    for answer in ({"doubt": None, "parts": several["parts"]}, {"doubt": {"kind": "several"}}, {}):
        assert run(page, "doubt", "(m, a) => m.offer(a)", answer) == ""


@pytest.mark.parametrize(
    ("kept", "given"),
    [
        ('[{"digit": 4, "secret": "s"}]', [{"digit": 4, "secret": "s"}]),
        ('[{"digit": "4", "secret": "s"}, {"digit": 4, "secret": ""}, {"digit": 5}]', []),
        ("[null]", []),
        ("{}", []),
        ("", []),
        ("no JSON", []),
    ],
)
def test_what_was_given_is_read_back_as_far_as_it_is_sound(
    page: Page, kept: str, given: list[dict[str, Any]]
) -> None:
    assert run(page, "given", "(m, text) => m.restored(text)", kept) == given


@pytest.mark.parametrize(
    ("status", "kind"),
    [(200, "taken"), (404, "taken"), (409, "reviewed"), (503, "stuck"), (429, "stuck"), (502, "stuck")],
)
def test_a_drawing_that_nobody_knows_any_more_counts_as_taken_back(
    page: Page, status: int, kind: str
) -> None:
    assert run(page, "backend", "(m, status) => m.takenBack(status).kind", status) == kind
