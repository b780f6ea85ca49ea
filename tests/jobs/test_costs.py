"""What the jobs of a month cost: in the month alone, from machine to machine, with the share in which nothing trained."""

import csv
import json
from pathlib import Path

import pytest

from tests.chain import make_settings
from workbench import cli
from workbench.errors import BadInput
from workbench.events import Error
from workbench.jobs import Store, costs
from workbench.recipes import Recipe

DAY = 86400.0
NOVEMBER = costs.read_month("2026-11", 0.0)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two jobs of ann, one across a month's end, one of a requester with a name that is a formula, and a free one."""
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path))
    now = [NOVEMBER.begin]
    with Store(make_settings(tmp_path).database_url, clock=lambda: now[0]) as store:

        def job(requester: str, at: float, price: float | None, boots_s: float, trains_s: float) -> None:
            asked = {"name": "net", "requester": requester, "ps": 1, "workers": 2}
            now[0] = at - 1000
            id = store.submit(**asked, recipe=Recipe("", "", "x"), price_per_hour=price, provider="aws")  # type: ignore[arg-type]
            assert store.claim("runner", cap=9, provider="aws")
            now[0] = at
            store.note_machines_since(id, at)
            now[0] = at + boots_s
            store.move(id, "initializing", "training")
            now[0] += trains_s
            store.move(id, "training", "failed", error=Error(now[0], "worker", 0, "it ended"))
            store.release(id, "runner")

        job("ann", NOVEMBER.begin + DAY, 2.0, 600, 1800)
        job("ann", NOVEMBER.end - 3600, 1.0, 0, 7200)
        job("=cmd()", NOVEMBER.begin + 2 * DAY, 0.5, 900, 900)
        job("free", NOVEMBER.begin + 3 * DAY, None, 10, 10)
    return tmp_path


def test_a_month_has_its_own_share_by_job_and_requester(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["costs", "--month", "2026-11", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(one["job"], one["dollars"], one["idle"], one["machines"]) for one in told] == [
        (1, pytest.approx(4 / 3, abs=1e-4), 0.25, 4),
        (2, 1.0, 0.0, 4),
        (3, 0.25, 0.5, 4),
    ]
    assert cli.main(["costs", "--month", "2026-12", "--json"]) == 0
    assert [(one["job"], one["dollars"]) for one in json.loads(capsys.readouterr().out)] == [(2, 1.0)]
    assert cli.main(["costs", "--month", "2026-11", "--csv", str(home / "costs.csv")]) == 0
    said = capsys.readouterr().out
    assert "2026-11: $2.58" in said
    assert said.splitlines()[1].split()[:3] == ["ann", "2", "$2.33"]
    rows = list(csv.DictReader((home / "costs.csv").read_text().splitlines()))
    assert [(row["kind"], row["dollars"], row["idle_dollars"]) for row in rows[:1]] == [
        ("job", "1.3333", "0.3333")
    ]
    assert [row["requester"] for row in rows] == ["ann", "ann", "'=cmd()"]
    assert cli.main(["costs", "--month", "2020-01"]) == 0
    assert "no job has cost anything in 2020-01" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["2026", "2026-13", "last", "2026-1", "2026-11-30"])
def test_what_is_no_month_is_refused(text: str) -> None:
    with pytest.raises(BadInput, match="2026-11"):
        costs.read_month(text, 0.0)
