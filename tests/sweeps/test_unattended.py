"""Sweeps for which nobody waits: begun, listed, stopped, gone on with, below a cap of their price."""

import dataclasses
import itertools
import json
from pathlib import Path

import pytest

from tests.chain import wait_until
from tests.sweeps.fake_queue import Queue, ask, run
from workbench import cli
from workbench.errors import BadInput, Conflict, NotFound, SweepFailed, Unavailable
from workbench.models import registry
from workbench.recipes import beside
from workbench.settings import Settings
from workbench.sweeps import Sweep, Trial, spending
from workbench.sweeps.drivers import AGAIN_S, Drivers
from workbench.sweeps.records import open_records
from workbench.verbs import sweeps
from workbench.verbs.sweeps import Sweeps, kept


class Unattended:
    """Sweeps whose processes are begun by the test."""

    def __init__(self, queue: Queue) -> None:
        self.queue = queue
        self.begun: list[str] = []
        self.known = Sweeps(queue.workbench, lambda id, _: self.begun.append(id))

    def drive(self, id: str) -> Sweep:
        """What the process does."""
        asked = kept.read(id, self.queue.settings).asked()
        return sweeps.run(asked, self.queue.workbench, self.queue.go_on, every_s=0, attended=False)


@pytest.fixture
def unattended(queue: Queue) -> Unattended:
    return Unattended(queue)


def test_a_sweep_is_kept_whole_and_gone_on_with_from_what_was_kept(
    unattended: Unattended, queue: Queue
) -> None:
    (queue.settings.home / "mine").mkdir(parents=True)
    rows = beside.keep({"rows.csv": b"1,2"}, queue.settings.home / "mine")
    asked = ask(
        queue, {"UNITS": [8, 32], "RATE": "1e-3..1e-1:log"}, trials=3, seed=7, metric="loss", max_price=9.5
    )
    recipe = dataclasses.replace(asked.request.recipe, files=rows)
    asked = sweeps.ask(
        dataclasses.replace(asked.request, recipe=recipe),
        {"UNITS": [8, 32], "RATE": "1e-3..1e-1:log"},
        asked.options,
    )
    id = unattended.known.begin(asked)
    assert unattended.begun == [id]
    again = kept.read(id, queue.settings).asked()
    assert dataclasses.replace(again, request=asked.request) == asked
    assert again.request.recipe.files[0].source, "the bytes are kept in the home"
    assert unattended.known.entry(id).state == "waiting"
    sweep = unattended.drive(id)
    entry = unattended.known.entry(id)
    assert (entry.state, entry.sweep.version, len(sweep.trials)) == ("completed", "net:1", 3)
    assert open_records(queue.settings).unattended() == []
    assert entry.as_json()["max_price"] == 9.5


def test_a_stopped_sweep_ends_its_trials_publishes_the_best_and_goes_on_when_asked(
    unattended: Unattended, queue: Queue
) -> None:
    id = unattended.known.begin(
        ask(queue, {"UNITS": "1..90"}, trials=9, method="random", early_stopping=False)
    )
    asked = kept.read(id, queue.settings).asked()
    states: list[str] = []

    def look(sweep: Sweep) -> None:
        queue.go_on()
        if sum(trial.state == "completed" for trial in sweep.trials) == 2 and not states:
            with pytest.raises(Conflict, match="goes on already"):
                unattended.known.begin(asked)
            unattended.known.stop(id)
            states.append(unattended.known.entry(id).state)

    sweep = sweeps.run(asked, queue.workbench, look, every_s=0, attended=False)
    assert states == ["stopping"]
    assert sweep.version == "net:1"
    assert len(sweep.trials) < 9
    assert {trial.state for trial in sweep.trials} <= {"completed", "terminated"}
    assert unattended.known.entry(id).state == "stopped"
    before = len(sweep.trials)
    unattended.known.go_on(id)
    assert len(unattended.drive(id).trials) == 9 > before
    assert unattended.known.entry(id).state == "completed"
    assert len(registry.versions(queue.settings, "net")) <= 2


def test_one_whose_driver_is_gone_is_begun_again_once_in_a_while(
    unattended: Unattended, queue: Queue
) -> None:
    id = unattended.known.begin(ask(queue, {"UNITS": "8,16"}))
    now, begun = [0.0], []
    drivers = Drivers(queue.settings, lambda id, _: begun.append(id), lambda: now[0])
    assert drivers.tick() == [id]
    assert drivers.tick() == [], "it has only just begun"
    now[0] += AGAIN_S
    with open_records(queue.settings).held(id):
        assert drivers.tick() == [], "it lives"
    assert drivers.tick() == [id] == begun[:1]
    unattended.drive(id)
    now[0] += AGAIN_S
    assert drivers.tick() == [], "it has ended"


def test_what_came_to_nothing_says_why_and_is_not_begun_again(unattended: Unattended, queue: Queue) -> None:
    id = unattended.known.begin(ask(queue, {"UNITS": "0"}))
    with pytest.raises(SweepFailed):
        unattended.drive(id)
    entry = unattended.known.entry(id)
    assert entry.state == "failed"
    assert "no units" in entry.said
    assert open_records(queue.settings).unattended() == []


def test_a_command_that_was_interrupted_shows_as_that(unattended: Unattended, queue: Queue) -> None:
    class Interrupted(BaseException):
        pass

    def interrupt(sweep: Sweep) -> None:
        queue.go_on()
        if sweep.trials:
            raise Interrupted

    with pytest.raises(Interrupted):
        sweeps.run(ask(queue, {"UNITS": "8,16"}), queue.workbench, interrupt, every_s=0)
    (entry,) = unattended.known.entries()
    assert entry.state == "interrupted"


def test_a_record_that_cannot_be_read_hides_no_other(unattended: Unattended, queue: Queue) -> None:
    id = unattended.known.begin(ask(queue, {"UNITS": "8,16"}))
    (queue.settings.home / "sweeps" / "other.asked.json").write_text("{")
    assert [entry.id for entry in unattended.known.entries()] == [id]
    with pytest.raises(Unavailable, match="cannot be read"):
        unattended.known.entry("other")
    for strange in ("none", "../other", ".."):
        with pytest.raises(NotFound, match="no sweep"):
            unattended.known.stop(strange)


def test_a_cap_ends_what_runs_and_lets_nothing_more_begin(
    unattended: Unattended, queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = queue.workbench.machines.plan

    def dear(*asked: object) -> object:
        return dataclasses.replace(whole(*asked), price_per_hour=3.6e9)  # type: ignore[arg-type]

    monkeypatch.setattr(queue.workbench.machines, "plan", dear)
    asked = ask(queue, {"UNITS": "1..90"}, method="random", trials=6, max_price=1e-3)
    with pytest.raises(SweepFailed, match=r"all of them may cost \$0\.00"):
        run(queue, asked)
    assert len(queue.store.jobs()) <= 2, "only those that were begun together"
    assert unattended.known.entry(asked.id).state == "failed"
    with pytest.raises(BadInput, match="above"):
        ask(queue, {"UNITS": "1,2"}, max_price=0.0)


@pytest.mark.parametrize(
    ("costs", "cap", "begins"),
    [
        ([], 1.0, True),
        ([("training", 0.2)], 1.0, True),
        ([("completed", 0.4)], 1.0, True),
        ([("completed", 0.4), ("training", 0.0)], 1.0, False),
        ([("completed", 0.4), ("training", 0.0)], 1.2, True),
        ([("completed", 0.2), ("failed", 0.7)], 1.0, False),
        ([("training", 1.0)], 1.0, False),
        ([("completed", 5.0)], None, True),
    ],
)
def test_a_trial_is_begun_only_if_it_fits_below_the_cap(
    costs: list[tuple[str, float]], cap: float | None, begins: bool
) -> None:
    trials = [
        Trial(n, {}, n, state, cost=cost) for n, (state, cost) in zip(itertools.count(1), costs, strict=False)
    ]
    assert spending.may_begin(trials, cap) is begins
    assert bool(spending.said(trials, cap, 99)) is not begins
    assert spending.said(trials, cap, len(trials)) == "", "nothing was left to begin"


def test_commands_list_show_and_stop_sweeps(
    unattended: Unattended, queue: Queue, settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    id = unattended.known.begin(ask(queue, {"UNITS": "8,16"}))
    unattended.drive(id)
    for name, value in (("WORKBENCH_HOME", settings.home), ("WORKBENCH_DATABASE_URL", settings.database_url)):
        monkeypatch.setenv(name, str(value))
    page = tmp_path / "sweep.html"
    capsys.readouterr()
    assert cli.main(["sweeps", "--json"]) == 0
    (told,) = json.loads(capsys.readouterr().out)
    assert (told["id"], told["state"], told["version"]) == (id, "completed", "net:1")
    assert cli.main(["sweeps", id, "--html", str(page)]) == 0
    assert "is completed" in (said := capsys.readouterr().out)
    assert "UNITS" in said
    assert "<svg" in page.read_text()
    assert cli.main(["sweeps", "none"]) == 3
    assert cli.main(["sweeps", "--stop"]) != 0


def test_the_process_goes_on_until_the_sweep_has_ended(queue: Queue) -> None:
    """The real one: it finds nothing left to do, and says so by taking the sign away."""
    asked = ask(queue, {"UNITS": "8,16"})
    run(queue, asked)
    Sweeps(queue.workbench).begin(asked)
    records = open_records(queue.settings)
    wait_until(lambda: not records.unattended(), 60, "the driver's end")
    wait_until(lambda: not records.is_held(asked.id), 60, "its lock")
    assert Sweeps(queue.workbench).entry(asked.id).state == "completed"
