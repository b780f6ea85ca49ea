"""Promises of every back end. Another one joins with a fixture that gives its ``Bench``."""

from pathlib import Path

import numpy as np
import pytest

from tests.backend import making
from tests.backends.conftest import Bench
from tests.chain import make_settings
from workbench import datasets
from workbench.backends.exported import keep_corrections
from workbench.backends.how import How
from workbench.backends.values import Deployment
from workbench.errors import BadInput, ModelRefused, NotFound, WorkbenchError


@pytest.fixture(params=["fake", "http", "aws"])
def bench(request: pytest.FixtureRequest) -> Bench:
    bench: Bench = request.getfixturevalue(request.param)
    return bench


def serving(bench: Bench, name: str) -> Deployment:
    return next(model for model in bench.backend.models() if model.name == name)


def test_a_deployed_version_answers_and_is_the_last_of_the_models(bench: Bench, name: str) -> None:
    said = bench.backend.deploy(bench.version(name, 3), who="ada", reason="the first")
    assert (said.name, said.version, said.previous, said.canary) == (name, 3, None, None)
    assert said.labels == tuple("0123456789")
    assert said.metrics["accuracy"] == 0.1
    assert bench.backend.models()[-1] == said
    answer = bench.backend.predict(making.png(making.seven()))
    assert (answer.digit, answer.model, answer.version) == (3, name, 3)
    assert answer.probabilities is not None
    assert sum(answer.probabilities) == pytest.approx(1, abs=1e-3)
    assert str(answer.seen).startswith("data:image/png;base64,")


def test_deploying_twice_changes_nothing(bench: Bench, name: str) -> None:
    version = bench.version(name, 1)
    first = bench.backend.deploy(version)
    assert bench.backend.deploy(version) == first
    assert len(bench.backend.history(name)) == 1


def test_a_rollback_lets_the_version_before_answer_again(bench: Bench, name: str) -> None:
    for number in (1, 2):
        bench.backend.deploy(bench.version(name, number))
    back = bench.backend.rollback(name, who="ada", reason="worse")
    assert (back.version, back.previous) == (1, 2)
    assert serving(bench, name).version == 1
    with pytest.raises(NotFound):
        bench.backend.rollback("unheard-of")
    with pytest.raises(BadInput):
        bench.backend.rollback("Not a name")


def test_what_never_was_another_version_cannot_be_rolled_back(bench: Bench, name: str) -> None:
    bench.backend.deploy(bench.version(name, 1))
    with pytest.raises(WorkbenchError, match="first version"):
        bench.backend.rollback(name)


def test_a_canary_stands_beside_the_active_version_until_it_ends(bench: Bench, name: str) -> None:
    one, two = bench.version(name, 1), bench.version(name, 2)
    with pytest.raises(NotFound, match="activate one first"):
        bench.backend.deploy(two, canary=10)
    bench.backend.deploy(one)
    beside = bench.backend.deploy(two, canary=12.5)
    assert beside.version == 1
    assert beside.canary is not None
    assert (beside.canary.version, beside.canary.percent) == (2, 12.5)
    assert serving(bench, name) == beside
    with pytest.raises(WorkbenchError, match="percent"):
        bench.backend.deploy(two, canary=101)
    assert bench.backend.deploy(two, canary=0).canary is None


def test_the_history_says_who_did_what_when_and_why(bench: Bench, name: str) -> None:
    one, two = bench.version(name, 1), bench.version(name, 2)
    bench.backend.deploy(one, who="ada", reason="the first")
    bench.backend.deploy(two, who="bob", canary=5)
    bench.backend.deploy(two, who="bob", reason="better on ‘7’")
    bench.backend.rollback(name, who="ada", reason="worse")
    lines = bench.backend.history(name)
    assert [(x.action, x.version, x.who, x.reason, x.percent) for x in lines] == [
        ("activate", 1, "ada", "the first", None),
        ("canary", 2, "bob", "", 5),
        ("activate", 2, "bob", "better on ‘7’", None),
        ("rollback", 1, "ada", "worse", None),
    ]
    assert all(line.t.endswith("Z") for line in lines)
    with pytest.raises(NotFound):
        bench.backend.history("unheard-of")


def test_a_retraining_that_is_worse_is_deployed_only_if_told_to(bench: Bench, name: str) -> None:
    used = {"version": 1, "used": ["aa"]}
    worse = bench.version(name, 2, metrics={"accuracy": 0.98}, corrections=used)
    bench.backend.deploy(bench.version(name, 1, metrics={"accuracy": 0.99}))
    with pytest.raises(ModelRefused, match=r"0\.9800 instead of 0\.9900.*--anyway"):
        bench.backend.deploy(worse)
    assert serving(bench, name).version == 1
    assert bench.backend.deploy(worse, anyway=True).version == 2


def test_a_damaged_version_is_refused_and_the_one_before_goes_on(bench: Bench, name: str) -> None:
    bench.backend.deploy(bench.version(name, 1))
    damaged = bench.version(name, 2)
    (damaged.folder / "model.onnx").write_bytes(b"no model")
    with pytest.raises(ModelRefused):
        bench.backend.deploy(damaged)
    assert serving(bench, name).version == 1


def test_two_versions_are_compared_by_their_numbers_or_by_what_serves(bench: Bench, name: str) -> None:
    for number in (1, 2):
        bench.backend.deploy(bench.version(name, number, metrics={"accuracy": number / 10}))
    found = bench.backend.compare(name, (1, 2))
    assert (found.name, found.versions) == (name, (1, 2))
    assert found.metrics == {1: {"accuracy": 0.1}, 2: {"accuracy": 0.2}}
    assert (found.drawings, found.agreed, found.disagreements) == (0, 0, ())
    assert bench.backend.compare(name).versions == (2, 1)
    with pytest.raises(NotFound):
        bench.backend.compare(name, (1, 99))
    with pytest.raises(NotFound):
        bench.backend.compare("unheard-of")


def test_any_version_is_asked_by_name_or_by_a_link(bench: Bench, name: str, tmp_path: Path) -> None:
    bench.backend.deploy(bench.version(name, 4))
    (tmp_path / "seven.png").write_bytes(making.png(making.seven()))
    said = bench.backend.serve(tmp_path / "seven.png", model_name=f"{name}:4")
    assert (said.index, said.label, said.model) == (4, "4", f"{name}:4")
    assert said.scores is not None
    assert len(said.scores) == 10
    drawn = making.data_url(making.png(making.seven())).decode()
    assert bench.backend.serve(drawn, model_name=name, how=How(output="output")).index == 4
    with pytest.raises(WorkbenchError, match="no output 'other'"):
        bench.backend.serve(drawn, model_name=name, how=How(output="other"))
    link = bench.backend.link(bench.version(name, 6))
    assert bench.backend.serve(drawn, model=link).index == 6
    assert serving(bench, name).version == 4
    with pytest.raises(NotFound):
        bench.backend.serve(drawn, model_name="unheard-of")
    with pytest.raises(BadInput, match="cannot be read"):
        bench.backend.serve(tmp_path / "none.png", model_name=name)


def test_corrections_are_listed_reviewed_and_reopened(bench: Bench) -> None:
    before = bench.backend.counts()
    sent = [bench.correct(digit) for digit in (3, 4, 5)]
    now = bench.backend.counts()
    assert (now.waiting, now.accepted) == (before.waiting + 3, before.accepted)

    page = bench.backend.corrections("waiting", pictures=True)
    ours = [c for c in page.corrections if c.id in sent]
    assert [(c.id, c.digit, c.predicted, c.state) for c in ours] == [
        (id, digit, 7, "waiting") for id, digit in zip(sent, (3, 4, 5), strict=True)
    ]
    assert all(c.picture.startswith("data:image/png;base64,") for c in ours)
    assert page.counts == now
    assert {c.picture for c in bench.backend.corrections().corrections} == {""}
    assert len(bench.backend.corrections("waiting", most=2).corrections) == 2

    (accepted,) = bench.backend.review([sent[0][:10]], "accept")
    assert (accepted.id, accepted.state) == (sent[0], "accepted")
    bench.backend.review(sent[1:2], "reject")
    assert sent[1] in [c.id for c in bench.backend.corrections("rejected").corrections]
    bench.backend.review(sent[:2], "reopen")
    assert bench.backend.counts() == now
    with pytest.raises(NotFound):
        bench.backend.review([sent[0], "f" * 64], "accept")
    assert bench.backend.counts() == now, "all or none"
    with pytest.raises(WorkbenchError, match="at least 6"):
        bench.backend.review(["ab"], "accept")
    assert bench.backend.review([], "accept") == ()


def test_accepted_corrections_are_exported_as_a_data_set_once(bench: Bench, tmp_path: Path) -> None:
    settings = make_settings(tmp_path / "home")
    sent = [bench.correct(digit) for digit in (1, 2)]
    bench.backend.review(sent, "accept")
    kept = keep_corrections(bench.backend, settings)
    assert set(sent) <= set(kept.ids)
    assert keep_corrections(bench.backend, settings) == kept
    x, y = datasets.corrections(settings=settings)
    assert (x.shape, x.dtype, y.dtype) == ((len(kept.ids), 28, 28), np.dtype(np.uint8), np.dtype(np.int64))
    bench.backend.review(list(kept.ids), "reopen")
    with pytest.raises(WorkbenchError, match="no correction is accepted"):
        bench.backend.export(tmp_path / "none.zip")


def test_answers_are_the_same_after_a_trip_through_json(bench: Bench, name: str) -> None:
    bench.backend.deploy(bench.version(name, 1))
    bench.backend.deploy(bench.version(name, 2), canary=5)
    now = serving(bench, name)
    assert Deployment.from_json(now.as_json()) == now
