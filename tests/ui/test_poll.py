"""The poll: it asks while somebody looks, tells what changed, and comes back after an error."""

import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.chain import wait_until
from workbench.errors import Unavailable
from workbench.ui.widgets.poll import Newest, Poll
from workbench.ui.widgets.visitor.browser import Browser


class Question:
    """Answers with what it was told to, and counts."""

    def __init__(self) -> None:
        self.answer: Any = 0
        self.asked = 0

    def __call__(self) -> Any:
        self.asked += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def question() -> Question:
    return Question()


@pytest.fixture
def make(question: Question) -> Iterator[Callable[..., Poll[Any]]]:
    """Makes polls of the question, which end with the test."""
    polls: list[Poll[Any]] = []

    def give(**how: Any) -> Poll[Any]:
        polls.append(Poll(question, **{"fast_s": 0.01, "slow_s": 0.01, **how}))
        return polls[-1]

    yield give
    for poll in polls:
        poll.close()


def test_who_follows_is_told_once_for_each_answer(question: Question, make: Callable[..., Poll[Any]]) -> None:
    told: list[int] = []
    poll = make()
    poll.follow(told.append)
    for answer in (1, 1, 2, 2, 1):
        question.answer = answer
        poll.turn()
    assert told == [1, 2, 1]


def test_it_asks_once_before_anybody_looks_and_then_waits(
    question: Question, make: Callable[..., Poll[Any]]
) -> None:
    browser = Browser()
    poll = make(browser=browser)
    asked = threading.Event()
    poll.each(asked.set)
    poll.start()
    assert asked.wait(60)
    asked.clear()
    assert not asked.wait(0.1)
    assert question.asked == 1
    browser.visible = True
    wait_until(lambda: question.asked > 3, 60, "more questions")
    browser.visible = False
    most = question.asked + 1  # one may be under way

    def rests() -> bool:
        asked.clear()
        return not asked.wait(0.1)

    wait_until(rests, 60, "the end of the question that was under way")
    assert rests()
    assert question.asked <= most


def test_it_asks_less_often_while_nothing_moves(question: Question, make: Callable[..., Poll[Any]]) -> None:
    poll = make(busy=bool, slow_s=3600.0)
    question.answer = 1
    poll.start()
    wait_until(lambda: question.asked > 3, 60, "more questions")
    rests = threading.Event()
    poll.follow(lambda answer: rests.set() if not answer else None)
    question.answer = 0
    assert rests.wait(60)
    before = question.asked
    poll.now()
    wait_until(lambda: question.asked == before + 1, 60, "the question after a push")


def test_an_error_is_told_until_it_is_over_and_then_all_is_shown_again(
    question: Question, make: Callable[..., Poll[Any]]
) -> None:
    problems: list[str | None] = []
    told: list[int] = []
    poll = make()
    poll.follow(told.append)
    poll.on_problem(lambda error: problems.append(str(error) if error else None))
    poll.turn()
    question.answer = Unavailable("the job store is away")
    poll.turn()
    poll.turn()
    question.answer = 0
    poll.turn()
    assert problems == ["the job store is away", None]
    assert told == [0, 0]


def test_a_follower_that_fails_is_a_problem_and_not_the_end(
    question: Question, make: Callable[..., Poll[Any]]
) -> None:
    problems: list[str] = []
    poll = make()
    poll.follow(lambda answer: 1 // answer)
    poll.on_problem(lambda error: problems.append(type(error).__name__))
    poll.turn()
    question.answer = 1
    poll.turn()
    assert problems == ["ZeroDivisionError", "NoneType"]


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_wish_is_fulfilled_also_after_one_that_failed(question: Question) -> None:
    begun, go_on = threading.Semaphore(0), threading.Semaphore(0)

    def work() -> None:
        begun.release()
        assert go_on.acquire(timeout=60)
        question()

    newest = Newest(work)
    question.answer = Unavailable("not now")
    newest.ask()
    assert begun.acquire(timeout=60)
    for _ in range(3):
        newest.ask()  # one call for all of them
    go_on.release()
    assert begun.acquire(timeout=60)
    go_on.release()
    wait_until(lambda: question.asked == 2, 30, "the call for the wishes meanwhile")
    question.answer = 0
    newest.ask()
    assert begun.acquire(timeout=60)
    go_on.release()
    wait_until(lambda: question.asked == 3, 30, "the call after two that failed")
