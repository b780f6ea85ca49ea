"""Reviewing from the command line: some, all, a writer's; what the model contradicts is not accepted unseen."""

from typing import Any

import pytest

from workbench.backends.fake import FakeBackEnd
from workbench.errors import BadInput, NotFound
from workbench.settings import Settings, from_environment
from workbench.verbs import backends

ANNA: dict[str, Any] = {"kind": "collected", "writer": "Anna", "session": "a1b2c3"}
CERTAIN = (0.001, 0.001, 0.001, 0.001, 0.992, 0.001, 0.001, 0.001, 0.0, 0.001)


@pytest.fixture
def settings() -> Settings:
    return from_environment({})


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeBackEnd:
    made = FakeBackEnd()
    monkeypatch.setattr(backends, "open_backend", lambda to, settings: made)
    return made


def test_all_that_wait_are_accepted_but_for_what_the_model_contradicts(
    fake: FakeBackEnd, settings: Settings
) -> None:
    fake.correct(9, 4, probabilities=CERTAIN)
    fake.correct(9, 4)
    reviewed = backends.review(None, "accept", settings)
    assert (len(reviewed.done), [c.absurd for c in reviewed.left]) == (
        1,
        ["the model is 99.2 % sure that it is a 4"],
    )
    assert len(backends.review(None, "accept", settings, anyway=True).done) == 1
    assert fake.counts().accepted == 2


def test_one_that_is_named_and_absurd_is_refused_with_its_reason(
    fake: FakeBackEnd, settings: Settings
) -> None:
    id_ = fake.correct(9, 4, doubt="no_digit")
    with pytest.raises(BadInput, match=r"said to be a 9, but the model sees no digit in it.*--anyway"):
        backends.review([id_[:8]], "accept", settings)
    assert len(backends.review([id_[:8]], "reject", settings).done) == 1
    assert len(backends.review([id_[:8]], "accept", settings, anyway=True).done) == 1


def test_a_writer_is_reviewed_as_a_whole_by_name_or_session(fake: FakeBackEnd, settings: Settings) -> None:
    for digit in range(3):
        fake.correct(digit, digit, **ANNA)
    fake.correct(3, 3, **(ANNA | {"session": "ffff"}))
    fake.correct(4, 4, **(ANNA | {"writer": "", "session": "0000"}))
    fake.correct(5, 4)
    assert len(backends.review(None, "reject", settings, writer="a1b2c3").done) == 3
    assert len(backends.review(None, "accept", settings, writer="Anna").done) == 1
    with pytest.raises(NotFound, match="no drawing of a writer 'Anna' waits"):
        backends.review(None, "accept", settings, writer="Anna")
    with pytest.raises(NotFound):
        backends.review(None, "accept", settings, writer="")
    assert len(backends.review(None, "accept", settings, writer="0000").done) == 1
    assert fake.counts().waiting == 1
