"""Standing clusters in the costs: for as long as they stood, and the share of it in which no job had them."""

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.chain import make_settings
from workbench import cli
from workbench.jobs import Store, costs, standing_costs
from workbench.jobs.standing_costs import Change, Ledger, Limits
from workbench.machines import Layout, Machine, Plan, Resource
from workbench.machines.fake import FakeProvider
from workbench.recipes import Recipe
from workbench.verbs.workbench import Workbench

NOVEMBER = costs.read_month("2026-11", 0.0)
BEGIN = NOVEMBER.begin + 86400
H = 3600.0
DAY_LONG = Limits(None, 24 * H)


def change(hours: float, kind: str, name: str = "lab") -> Change:
    return Change(BEGIN + hours * H, kind, name, "aws", 4, 2.0)  # type: ignore[arg-type]


def test_it_costs_while_it_runs_and_a_stop_is_no_cost() -> None:
    changes = [change(0, "launch"), change(2, "stop"), change(5, "start"), change(6, "release")]
    (found,) = standing_costs.report(changes, [], NOVEMBER, BEGIN + 99 * H, DAY_LONG)
    assert (found.hours, found.dollars, found.idle, found.machines) == (3.0, 6.0, 1.0, 4)
    assert (
        standing_costs.report(changes, [], costs.read_month("2026-12", 0.0), BEGIN + 99 * H, DAY_LONG) == []
    )


@pytest.mark.parametrize(
    ("limits", "now_h", "hours"),
    [
        (Limits(None, 24 * H), 3, 3.0),
        (Limits(None, 24 * H), 99, 24.0),
        (Limits(H, 24 * H), 99, 1.0),
        (Limits(H, 0.5 * H), 99, 0.5),
    ],
)
def test_one_that_tells_nobody_of_its_end_counts_until_it_must_have_ended(
    limits: Limits, now_h: float, hours: float
) -> None:
    (found,) = standing_costs.report([change(0, "launch")], [], NOVEMBER, BEGIN + now_h * H, limits)
    assert found.hours == pytest.approx(hours)


def test_two_of_a_name_count_together_and_one_that_ended_itself_is_no_reason_to_count_on() -> None:
    changes = [change(0, "launch"), change(10, "launch"), change(11, "release"), change(20, "start")]
    (found,) = standing_costs.report(changes, [], NOVEMBER, BEGIN + 99 * H, Limits(H, 24 * H))
    assert found.hours == 2.0


@dataclass
class Priced(FakeProvider):
    """Machines that cost."""

    def plan(self, layout: Layout) -> Plan:
        return Plan(tuple(Resource("fake", p.role) for p in layout.places), 3.0)


def test_the_time_of_jobs_is_no_idle_time_and_the_command_tells_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    settings = make_settings(tmp_path)
    clock = [BEGIN]
    with Store(settings.database_url, clock=lambda: clock[0]) as store:
        provider = Priced()
        workbench = Workbench(settings, store, open_provider=lambda name, _: provider)
        made: list[Machine] = workbench.clusters.launch("lab", Layout(0, 2), "aws")
        workbench.clusters.launch("here", Layout(), "local")
        ledger = Ledger(tmp_path)
        (noted,) = ledger.read()
        assert (noted.kind, noted.machines, noted.price_per_hour) == ("launch", len(made), 3.0)
        (tmp_path / standing_costs.FILE).unlink()
        ledger.note(replace(noted, t=BEGIN))
        with (tmp_path / standing_costs.FILE).open("a") as file:
            file.write('nonsense\n{"t": 1}\n[]\n{"kind": "dance"}\n')
        id = store.submit(
            name="net", requester="ann", recipe=Recipe("", "", "x"), workers=2, provider="aws", cluster="lab"
        )
        assert store.claim("runner", cap=9, provider="aws")
        store.note_machines_since(id, BEGIN + H)
        clock[0] = BEGIN + 4 * H
        store.move(id, "initializing", "terminated")
        ledger.note(Change(BEGIN + 4 * H, "release", "lab", "aws"))
        (found,) = standing_costs.report(
            ledger.read(), store.jobs(limit=9), NOVEMBER, BEGIN + 9 * H, DAY_LONG
        )
        assert (found.hours, found.dollars) == (4.0, 12.0)
        assert found.idle_dollars == pytest.approx(3.0)
    assert cli.main(["costs", "--month", "2026-11", "--json", "--csv", str(tmp_path / "costs.csv")]) == 0
    (row,) = json.loads(capsys.readouterr().out)
    assert (row["kind"], row["name"], row["job"]) == ("standing", "lab", None)
    assert (row["hours"], row["dollars"], row["idle"], row["idle_dollars"]) == (4.0, 12.0, 0.25, 3.0)
    (written,) = csv.DictReader((tmp_path / "costs.csv").read_text().splitlines())
    assert (written["kind"], written["name"], written["idle_dollars"]) == ("standing", "lab", "3.0")
    assert cli.main(["costs", "--month", "2026-11"]) == 0
    said = capsys.readouterr().out
    assert "IDLE COST" in said
    assert "$3.00 for standing clusters without a job" in said
