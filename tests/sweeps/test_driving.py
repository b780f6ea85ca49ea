"""A sweep through the queue: trials that are jobs, an end before the end, a best that becomes a version, a death on the way."""

import dataclasses

import pytest

import workbench as api
from tests.sweeps.fake_queue import Queue, ask, run
from workbench.errors import BadInput, Conflict, SweepFailed
from workbench.models import registry
from workbench.sweeps import Choice, Domain, Range, Record, Sweep, Trial
from workbench.sweeps.records import Records
from workbench.tasks.check import Checked
from workbench.verbs import sweeps


class Killed(BaseException):
    """As a ``kill -9``: nothing catches it."""


def test_each_combination_is_a_job_within_the_limits_and_the_best_becomes_a_version(queue: Queue) -> None:
    sweep = run(queue, ask(queue, {"UNITS": "8,32,16", "RATE": "0.1,0.2"}, early_stopping=False))
    assert [(t.settings["UNITS"], t.settings["RATE"], t.state) for t in sweep.trials] == [
        (units, rate, "completed") for units in (8, 32, 16) for rate in (0.1, 0.2)
    ]
    assert queue.most == 2, "the limit of one requester"
    assert sweep.best is not None
    assert (sweep.best.number, sweep.version) == (3, "net:1")
    assert sweep.best.score == pytest.approx(0.323)
    assert registry.find("net", queue.settings).manifest.job == sweep.best.job
    jobs = queue.store.jobs()
    assert {job.name for job in jobs} == {sweep.id}
    assert {job.requester for job in jobs} == {"ann"}
    assert list(sweep.importances) == ["UNITS", "RATE"]
    assert sweep.importances["UNITS"] > 0.9
    assert sweep.importances["RATE"] < 0.1
    assert sweep.as_json()["best"] == 3
    again = run(queue, ask(queue, {"UNITS": "8,32,16", "RATE": "0.1,0.2"}, early_stopping=False))
    assert again == sweep, "the same command has nothing left to do"
    assert len(queue.store.jobs()) == 6


@pytest.mark.parametrize("when", [2, 5])
def test_a_sweep_that_was_killed_goes_on_and_trains_nothing_twice(
    queue: Queue, when: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ask(queue, {"UNITS": "1..90"}, method="random", trials=3, early_stopping=False)
    writes = 0

    def dying(record: Record) -> None:
        nonlocal writes
        writes += 1
        if writes == when:
            raise Killed  # before it is kept; what was submitted is then known to the store alone
        keep(record)

    records = Records(queue.settings.home / "sweeps")
    keep = records.write
    with monkeypatch.context() as patch:
        patch.setattr(sweeps.driving, "open_records", lambda _: records)
        patch.setattr(records, "write", dying)
        with pytest.raises(Killed):
            run(queue, asked)
    sweep = run(queue, asked)
    assert [trial.state for trial in sweep.trials] == ["completed"] * 3
    assert len(queue.store.jobs()) == 3
    assert sweep.version == "net:1"
    longer = run(queue, dataclasses.replace(asked, trials=4))
    assert len(queue.store.jobs()) == len(longer.trials) == 4


def test_trials_below_the_median_are_ended_early_and_never_the_best(queue: Queue) -> None:
    queue.score = lambda settings, epoch: 0.9 - 0.01 * epoch if settings["UNITS"] in (1, 2, 3, 4) else 0.1
    sweep = run(queue, ask(queue, {"UNITS": "1,2,3,4,5,6"}))
    assert [trial.state for trial in sweep.trials] == ["completed"] * 4 + ["stopped"] * 2
    assert {queue.store.job(t.job or 0).state for t in sweep.trials[4:]} == {"terminated"}


def test_a_loss_is_the_better_the_lower(queue: Queue) -> None:
    sweep = run(queue, ask(queue, {"UNITS": "10,90,50"}, metric="loss"))
    assert sweep.best is not None
    assert sweep.best.settings == {"UNITS": 90}
    assert sweep.best.score == pytest.approx(1 - 0.903)
    assert [trial.settings["UNITS"] for trial in sweep.ranking] == [90, 50, 10]


def test_with_patience_the_score_is_that_of_the_epoch_whose_weights_the_version_has(queue: Queue) -> None:
    queue.score = lambda settings, epoch: {1: 0.2, 2: 0.7, 3: 0.3}[epoch]
    last = run(queue, ask(queue, {"UNITS": "8,9"}))
    best = run(queue, ask(queue, {"UNITS": "8,9", "PATIENCE": "2"}))
    assert [trial.score for trial in (*last.trials, *best.trials)] == [0.3, 0.3, 0.7, 0.7]


def test_what_fails_is_told_and_ends_a_hopeless_sweep_only(queue: Queue) -> None:
    sweep = run(queue, ask(queue, {"UNITS": "0,8"}))
    assert [trial.state for trial in sweep.trials] == ["failed", "completed"]
    with pytest.raises(SweepFailed, match=r"none of 3 trials.*training, line 4: no units"):
        run(queue, ask(queue, {"UNITS": "0", "RATE": "1,2,3,4,5,6"}, at_once=1))


def test_one_sweep_has_one_driver(queue: Queue) -> None:
    asked = ask(queue, {"UNITS": "8,16"})
    met: list[str] = []

    def second(_: Sweep) -> None:
        if not met:
            with pytest.raises(Conflict, match="goes on already") as refused:
                run(queue, asked)
            met.append(str(refused.value))
        queue.go_on()

    assert sweeps.run(asked, queue.workbench, second, every_s=0).version == "net:1"


def test_time_and_price_in_all_are_foretold(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Checked(
        100, 10, (4,), (3,), steps_per_epoch=50, parameters=9, largest=6, epochs=4, batch_size=2, step_s=0.1
    )
    monkeypatch.setattr(queue.workbench.requests, "check", lambda *_: found)
    few, many = (
        sweeps.forecast(ask(queue, {"UNITS": "1..90", "EPOCHS": said}, trials=10), queue.workbench)
        for said in ("1,1", "100..300")
    )
    assert few.seconds
    assert many.seconds
    assert many.seconds > 100 * 10 * 50 * 0.1 > few.seconds
    assert (few.trials, few.at_once, few.price) == (10, 2, 0.0)
    asked = ask(queue, {"UNITS": "8,16"})
    run(queue, asked)
    assert sweeps.forecast(asked, queue.workbench).trials == 0


@pytest.mark.parametrize(
    ("wanted", "more", "words"),
    [
        ({}, {}, "say what to try"),
        ({"UNITS": "1..9"}, {"method": "magic"}, "grid, random, tpe"),
        ({"UNITS": "1..9"}, {"trials": 5000}, "1 to 1,000 trials"),
        ({"UNITS": "1..9"}, {"metric": "f1"}, "accuracy or loss"),
        ({"UNITS": "1..9"}, {"at_once": 0}, "at least one"),
    ],
)
def test_what_no_sweep_can_be_is_refused(
    queue: Queue, wanted: dict[str, str], more: dict[str, object], words: str
) -> None:
    with pytest.raises(BadInput, match=words):
        ask(queue, wanted, **more)


def test_the_page_shows_each_trial_and_loads_nothing() -> None:
    space: dict[str, Domain] = {"UNITS": Choice((8, 16, (1, "x"))), "RATE": Range(1e-4, 1e-1, log=True)}
    trials = tuple(
        Trial(n, {"UNITS": units, "RATE": 10**-n}, n, state, scores, scores.get(2), version=1)
        for n, units, state, scores in (
            (1, 8, "completed", {1: 0.5, 2: 0.7}),
            (2, 16, "completed", {1: 0.5, 2: 0.9}),
            (3, (1, "x"), "stopped", {1: 0.5}),
            (4, 8, "failed", {}),
        )
    )
    sweep = Sweep("net-sweep-1", "net", "random", "accuracy", space, 4, trials, "net:1")
    page = sweeps.make_page(sweep)
    assert page.count("<polyline") == 3
    assert page.count("<tr") == 5
    assert "The best, 2, has accuracy 90.00 %" in page
    assert "http" not in page
    assert "<script>" not in sweeps.make_page(dataclasses.replace(sweep, name="<script>"))
    assert "<polyline" not in sweeps.make_page(dataclasses.replace(sweep, trials=())), "nothing has begun"
    shown = api.Sweep(sweep)
    assert shown.version == "net:1"
    assert "<svg" in shown._repr_html_()
