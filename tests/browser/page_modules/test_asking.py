"""When the page asks: one request at a time, at a pace, patiently while the back end is away."""

from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run

pytestmark = pytest.mark.usefixtures("browser")


class Conversation:
    """The states of asking.js under a clock of the test's own."""

    def __init__(self, page: Page) -> None:
        self.page, self.now = page, 0
        self.state: Any = None
        self.last: dict[str, Any] = {}

    def tell(self, kind: str, **more: Any) -> "Conversation":
        code = "(m, state, event, now) => m.next(state ?? m.start, event, now)"
        self.last = run(self.page, "asking", code, self.state, {"type": kind, **more}, self.now)
        self.state = self.last["state"]
        return self

    def drew(self, *, inked: bool = True, another: bool = False) -> "Conversation":
        return self.tell("drew", inked=inked, another=another)

    def came(self, kind: str, **more: Any) -> "Conversation":
        return self.tell("came", outcome={"kind": kind, "luck": 0.5, **more})

    def answered(self, digit: int = 7) -> "Conversation":
        answer = {"digit": digit, "probabilities": [0.1] * 10}
        return self.came("answer", answer=answer, model={"name": "m", "version": 1})

    def after(self, ms: int) -> "Conversation":
        self.now += ms
        return self

    @property
    def sent(self) -> str | None:
        return self.last.get("send")

    @property
    def wakes(self) -> int | None:
        return self.last.get("wake")


@pytest.fixture
def talk(page: Page) -> Conversation:
    """A page that has found its back end ready, and knows the model."""
    talk = Conversation(page).drew(inked=False, another=True)
    assert talk.sent == "readyz"
    assert talk.came("ready").sent == "models"
    return talk.came("models", model={"name": "m", "version": 1}).after(1000)


def test_while_one_request_is_under_way_no_other_is_sent_and_then_the_latest_drawing_is(
    talk: Conversation,
) -> None:
    assert talk.drew().sent == "predict"
    for _ in range(5):
        assert talk.after(20).drew().sent is None
    assert talk.tell("pressed").sent is None
    talk.after(200).answered()
    assert talk.sent == "predict"
    assert talk.state["flight"]["revision"] == talk.state["revision"]


def test_drawings_are_asked_about_at_a_pace(talk: Conversation) -> None:
    assert talk.drew().sent == "predict"
    talk.after(5).answered().drew()
    assert (talk.sent, talk.wakes) == (None, 120)
    assert talk.after(120).tell("woke").sent == "predict"


def test_the_button_does_not_wait_for_the_pace(talk: Conversation) -> None:
    talk.drew().after(5).answered()
    assert talk.tell("pressed").sent == "predict"


def test_an_answer_about_a_drawing_that_is_gone_is_dropped(talk: Conversation) -> None:
    talk.drew().drew(inked=False, another=True).after(100).answered()
    assert (talk.state["answer"], talk.sent) == (None, None)
    talk.after(500).drew().answered(7)
    talk.after(500).drew().drew(another=True).answered(3)  # undone while the request was under way
    assert talk.state["answer"]["digit"] == 7
    assert talk.after(200).tell("woke").sent == "predict"
    assert talk.answered(1).state["answer"]["digit"] == 1


def test_an_answer_about_a_drawing_that_has_only_grown_is_shown(talk: Conversation) -> None:
    talk.drew().after(50).drew().answered(3)
    assert talk.state["answer"]["digit"] == 3


def test_nothing_is_asked_about_an_empty_paper(talk: Conversation) -> None:
    assert talk.tell("pressed").sent is None
    assert talk.drew(inked=False).sent is None


def test_while_the_back_end_is_away_it_is_asked_ever_more_seldom_and_about_the_drawing_when_it_is_back(
    talk: Conversation,
) -> None:
    talk.drew().came("away")
    waits = []
    for _ in range(8):
        assert talk.sent is None
        waits.append(talk.wakes)
        assert talk.after(talk.wakes or 0).tell("woke").sent == "readyz"
        talk.came("away")
    assert waits == [500, 1000, 2000, 4000, 8000, 15000, 15000, 15000]
    assert talk.tell("nudged").sent == "readyz"
    assert talk.came("ready").sent == "predict"


def test_while_the_first_model_is_trained_its_progress_is_asked_for_each_second(talk: Conversation) -> None:
    assert talk.drew().came("unready").sent == "readyz"
    for step in (10, 20):
        talk.came("waiting", progress={"state": "training", "message": "", "step": step, "of": 630})
        assert (talk.sent, talk.wakes, talk.state["progress"]["step"]) == (None, 1000, step)
        assert talk.drew().sent is None
        assert talk.after(1000).tell("woke").sent == "readyz"
    assert talk.came("ready").sent == "predict"


def test_a_back_end_that_says_ready_and_yet_does_not_answer_is_not_pestered(talk: Conversation) -> None:
    talk.drew()
    sent = 0
    end = talk.now + 20_000
    while talk.now < end:
        if talk.sent == "predict":
            sent += 1
            talk.came("unready")
        elif talk.sent == "readyz":
            talk.came("ready")
        else:
            talk.after(talk.wakes or 0).tell("woke")
        assert sent < 20
    assert 3 <= sent <= 8


def test_when_it_asks_for_a_pause_it_gets_one(talk: Conversation) -> None:
    talk.drew().came("limited", pause=3000)
    assert (talk.sent, talk.wakes) == (None, 3000)
    assert talk.after(1000).drew().sent is None
    assert talk.tell("pressed").sent is None
    assert talk.after(2000).tell("woke").sent == "predict"


def test_each_further_pause_is_longer(talk: Conversation) -> None:
    waits = []
    for _ in range(4):
        talk.drew().came("limited", pause=2000)
        waits.append(talk.wakes)
        assert talk.after(talk.wakes or 0).tell("woke").sent == "predict"
    assert waits == [2000, 2000, 2000, 4000]


def test_a_pause_ends_though_nothing_is_drawn_any_more(talk: Conversation) -> None:
    talk.drew().came("limited", pause=3000).drew(inked=False, another=True)
    talk.after(3000).tell("woke")
    assert (talk.state["link"], talk.sent) == ("ready", None)


def test_a_refusal_is_shown_and_not_repeated(talk: Conversation) -> None:
    talk.drew().came("refused", message="damaged")
    assert (talk.sent, talk.state["problem"]) == (None, "damaged")
    assert talk.tell("pressed").sent == "predict"
    assert talk.state["problem"] is None


def test_a_request_that_takes_long_is_called_slow(talk: Conversation) -> None:
    talk.drew()
    assert talk.wakes == 1500
    assert talk.after(1500).tell("woke").state["slow"] is True
    assert talk.answered().state["slow"] is False
