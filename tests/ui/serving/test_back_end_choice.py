"""The choice of a back end on the serving page, with back ends in memory: all that the page does goes to the chosen one."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from tests.browser import made_models
from tests.chain import threads_end, wait_until
from tests.ui.serving.stand import Account, Visitor
from workbench import datasets
from workbench.backends.base import BackEnd
from workbench.backends.fake import FakeBackEnd
from workbench.errors import Unavailable
from workbench.models import registry
from workbench.settings import Settings
from workbench.ui.serving import ServingPage
from workbench.ui.serving.choice import AWS, HERE, LOOK_EVERY_S, BackEndChoice
from workbench.ui.serving.snapshot import AWS_EVERY_S, Looker
from workbench.ui.widgets.visitor.address import Address
from workbench.verbs.workbench import Workbench, open_store


@dataclass
class Stand(Visitor):
    """The page of somebody who has said a name, with a back end here and one on AWS."""

    here: FakeBackEnd
    aws: FakeBackEnd
    account: Account

    def choose(self, where: str) -> None:
        self.page.choice.buttons.value = where
        self.turn()

    def deploy(self, reference: str, canary: str = "") -> str:
        self.open(reference)
        version = self.page.models.version
        version.reason.value, version.canary.value = "a test", canary
        self.press(version.deploy)
        return version.message.html


@pytest.fixture
def stand(settings: Settings) -> Iterator[Stand]:
    for answer in (1, 2):
        made_models.publish(settings, answer)
    here, aws, account = FakeBackEnd(), FakeBackEnd(), Account("running")
    (first, _) = registry.versions(settings)
    here.deploy(first, who="ann", reason="to begin with")

    def open_backend(where: str | None) -> BackEnd:
        if where == "aws" and account.state == "refused":
            raise Unavailable("AWS cannot be reached: no credentials")
        return aws if where == "aws" else here

    with open_store(settings) as store, threads_end():
        workbench = Workbench(settings, store, start=lambda *_: None)
        page = ServingPage(workbench, open_backend=open_backend, application=account)
        page.requester.name = "bea"
        page.poll.turn()
        yield Stand(page, here, aws, account)
        page.poll.close()


def test_aws_is_offered_where_there_is_an_application(stand: Stand) -> None:
    choice = stand.page.choice
    assert choice.buttons.layout.display == "none"
    assert "this computer" in choice.line.html
    choice.look()
    assert choice.buttons.layout.display == ""
    for state in ("absent", "refused"):
        stand.account.state = state
        choice.look()
        assert choice.buttons.layout.display == "none"


def test_what_serves_is_that_of_the_chosen_one_and_it_says_which(stand: Stand) -> None:
    models = stand.page.models
    assert "mnist-cnn:1" in models.served.html
    stand.page.choice.buttons.value = AWS
    assert "Asking the back end on AWS" in models.served.html
    assert "on AWS" in stand.page.choice.line.html
    stand.turn()
    assert "Nothing is deployed" in models.served.html
    assert {row["deployment"] for row in models.table.page["rows"]} == {""}
    stand.choose(HERE)
    assert "mnist-cnn:1" in models.served.html


def test_versions_are_deployed_tried_rolled_back_and_remembered_on_aws(stand: Stand) -> None:
    stand.choose(AWS)
    version = stand.page.models.version
    assert "mnist-cnn:1 answers on the drawing page on AWS now" in stand.deploy("mnist-cnn:1")
    assert "as a canary" in stand.deploy("mnist-cnn:2", canary="10")
    assert "mnist-cnn:2 is no canary any more" in stand.deploy("mnist-cnn:2", canary="0")
    stand.deploy("mnist-cnn:2")
    stand.press(version.rollback)
    assert "mnist-cnn:1 answers on the drawing page on AWS again" in version.message.html
    assert [change.action for change in stand.aws.history("mnist-cnn")] == [
        *("activate", "canary", "canary", "activate", "rollback")
    ]
    for words in ("started a canary of 10 %", "ended the canary", "rolled back to", "bea", "a test"):
        assert words in version.history.html
    assert len(stand.here.history("mnist-cnn")) == 1, "the one here was left alone"


def test_corrections_are_reviewed_and_exported_where_they_were_made(stand: Stand) -> None:
    panel = stand.page.corrections
    stand.here.correct(3, 8)
    stand.choose(AWS)
    for digit in (4, 4, 5):
        stand.aws.correct(digit, 9)
    stand.page._changed()
    stand.turn()
    wait_until(lambda: [i["digit"] for i in panel.grid.items] == ["4", "4", "5"], 20, "the ones on AWS")
    panel.digit.value = "4"
    stand.press(panel.accept_all)
    assert stand.aws.counts().accepted == 2
    assert stand.here.counts().waiting == 1
    stand.press(panel.retraining.retrain)
    assert "has 2 drawings" in panel.message.html
    assert list(datasets.corrections(settings=stand.page.workbench.settings)[1]) == [4, 4]
    stand.choose(HERE)
    wait_until(lambda: [i["digit"] for i in panel.grid.items] == ["3"], 20, "the one here")
    assert panel.undo_last.button.disabled, "what was reviewed on AWS is not undone here"


def test_accepting_all_of_a_writer_leaves_what_the_model_contradicts(stand: Stand) -> None:
    panel = stand.page.corrections
    anna: dict[str, Any] = {"kind": "collected", "writer": "Anna", "session": "a1b2c3"}
    stand.here.correct(3, 8)
    stand.here.correct(4, 4, **anna)
    absurd = stand.here.correct(5, 5, **anna, doubt="no_digit")
    stand.page._changed()
    stand.turn()
    wait_until(lambda: len(panel.grid.items) == 3, 20, "all that wait")
    assert [i["writer"] for i in panel.grid.items] == ["", "Anna · a1b2", "Anna · a1b2"]
    assert [i["absurd"] for i in panel.grid.items] == ["", "", "the model sees no digit in it"]
    panel.giver.value = "a1b2c3"
    assert "by Anna · a1b2 (2), that are waiting?" in panel._sure("Accept")
    stand.press(panel.accept_all)
    assert "1 left for you to judge one by one" in panel.message.html
    assert stand.here.counts().accepted == 1
    panel.grid._told({"kind": "review", "ids": [absurd], "verdict": "accept"})
    wait_until(lambda: stand.here.counts().accepted == 2, 20, "the one that was accepted all the same")
    panel.giver.value = ""
    stand.press(panel.reject_all)
    assert (stand.here.counts().waiting, stand.here.counts().rejected) == (0, 1)


def test_a_drawing_is_asked_about_on_aws_only_by_the_button(stand: Stand) -> None:
    stand.choose(AWS)
    stand.deploy("mnist-cnn:1")
    predict = stand.page.predict
    assert "when you press Ask" in predict.hint.html
    predict.picture.canvas.drawing = np.full((280, 280), 255, np.uint8)
    predict._drawn(predict.picture.canvas.drawing)
    assert "wb-headline" not in predict.answer.html
    predict.model.published.value = "mnist-cnn:2"  # it was never sent there
    stand.press(predict.ask)
    assert '<span class="wb-headline">2</span>' in predict.answer.html


def test_where_aws_cannot_be_reached_the_page_says_so_and_the_one_here_works(stand: Stand) -> None:
    stand.account.state = "refused"
    stand.page.address._told({"kind": "here", "values": {"to": "aws"}})
    stand.turn()
    page = stand.page
    assert "The back end on AWS does not answer" in page.models.served.html
    assert "AWS cannot be reached: no credentials" in page.models.served.html
    assert page.models.again.widget.layout.display == ""
    assert "cannot be read" in page.corrections.note.html
    assert page.choice.buttons.layout.display == "", "so that one can go back"
    stand.open("mnist-cnn:1")
    assert page.models.version.deploy.button.disabled
    stand.choose(HERE)
    assert "mnist-cnn:1" in page.models.served.html
    page.models.version.reason.value = "why not"
    assert not page.models.version.deploy.button.disabled


def test_the_address_keeps_the_choice(stand: Stand) -> None:
    stand.choose(AWS)
    assert stand.page.address.values == {"to": "aws"}
    stand.choose(HERE)
    assert stand.page.address.values == {}


def test_an_answer_to_an_earlier_choice_is_dropped(stand: Stand) -> None:
    earlier = stand.page._looker.look()
    stand.choose(AWS)
    stand.page._show(earlier)
    assert "Nothing is deployed" in stand.page.models.served.html


def test_aws_is_asked_now_and_then_and_at_once_after_a_change(settings: Settings) -> None:
    now, asked, account = [0.0], [0], Account("running")

    class Counting(FakeBackEnd):
        def counts(self) -> Any:
            asked[0] += 1
            return super().counts()

    backend = Counting()
    clock = lambda: now[0]  # noqa: E731
    with open_store(settings) as store:
        choice = BackEndChoice(lambda _: backend, account, Address(), switched=lambda: None, clock=clock)
        looker = Looker(Workbench(settings, store), choice, clock)
        for _ in range(3):
            looker.look()
        assert asked == [3], "the one here is asked each time"
        choice.buttons.value = AWS
        for _ in range(3):
            looker.look()
        assert asked == [4]
        now[0] = AWS_EVERY_S
        looker.look()
        looker.forget()
        looker.look()
        assert asked == [6]


def test_an_application_is_looked_for_once_a_minute(settings: Settings) -> None:
    now, looks = [0.0], [0]

    class Watched(Account):
        def look(self) -> Any:
            looks[0] += 1
            return super().look()

    choice = BackEndChoice(
        lambda _: FakeBackEnd(), Watched(), Address(), switched=lambda: None, clock=lambda: now[0]
    )
    with threads_end():
        for _ in range(3):
            choice.tick()
        wait_until(lambda: looks == [1], 20, "a look")
        now[0] = LOOK_EVERY_S
        choice.tick()
        wait_until(lambda: looks == [2], 20, "another look")
