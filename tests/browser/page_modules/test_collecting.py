"""What a writer is asked for, and how what is given is sent and taken back."""

import itertools
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run

pytestmark = pytest.mark.usefixtures("browser")


def collecting(page: Page, code: str, *arguments: Any) -> Any:
    return run(page, "collecting", f"(m, ...given) => {{ {code} }}", *arguments)


@pytest.mark.parametrize("each", [1, 3, 10])
def test_each_digit_is_asked_for_as_often_and_never_twice_in_a_row(page: Page, each: int) -> None:
    for order in collecting(page, "return Array.from({length: 200}, () => m.shuffled(given[0]))", each):
        assert sorted(order) == sorted(list(range(10)) * each)
        assert all(a != b for a, b in itertools.pairwise(order))


WRITER = """
    let s = m.begun("Anna", 1, [3, 1, 2], "0".repeat(32));
    const give = (image) => { const key = s.count; s = m.packed(m.give(s), key, image); };
    const send = (outcome) => { s = m.sent(m.sending(s, m.due(s).one), outcome); };
"""


def test_a_drawing_whose_answer_was_lost_is_sent_again_to_be_taken_back(page: Page) -> None:
    said = collecting(
        page,
        WRITER
        + """
        give("three");
        send({kind: "away"});
        const waits = m.due(s).one.image;
        s = m.back(s);
        const again = m.due(s);
        send({kind: "kept", secret: "x"});
        const then = m.due(s);
        s = m.takenBack(s, ["x"]);
        return [waits, again.what, again.one.image, then, m.due(s), m.wanted(s)];
        """,
    )
    assert said == ["three", "send", "three", {"what": "take back", "secrets": ["x"]}, None, 3]


def test_a_drawing_that_was_never_sent_is_simply_forgotten(page: Page) -> None:
    assert collecting(page, WRITER + 'give("three"); s = m.back(s); return m.due(s)') is None


def test_a_drawing_that_is_unwanted_while_it_is_sent_is_taken_back_once_it_is_kept(page: Page) -> None:
    said = collecting(
        page,
        WRITER
        + """
        give("three");
        s = m.sending(s, m.due(s).one);
        s = m.back(s);
        s = m.sent(s, {kind: "kept", secret: "x"});
        return [m.due(s), s.given];
        """,
    )
    assert said == [{"what": "take back", "secrets": ["x"]}, []]


def test_what_a_writer_gave_is_read_back_as_far_as_it_is_sound(page: Page) -> None:
    code = (
        WRITER
        + """
        give("three");
        send({kind: "kept", secret: "x"});
        give("one");
        const read = m.restored(JSON.stringify(m.sending(s, m.due(s).one)));
        const broken = ["", "[]", "{}", JSON.stringify({...s, session: "me"}), JSON.stringify({...s, order: [11]})];
        return [read.given.map((one) => one.state), m.due(read).one.image, broken.map((t) => m.restored(t).session)];
    """
    )
    assert collecting(page, code) == [["kept", "waiting"], "one", [""] * 5]
