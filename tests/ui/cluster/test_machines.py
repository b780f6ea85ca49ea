"""The machines on the cluster's page, standing clusters, and what a month cost."""

import base64
import re
import threading
from pathlib import Path

import pytest

from tests.chain import wait_until
from tests.ui.cluster.stand import Stand, job
from tests.ui.pressing import press
from workbench.errors import NoMachineFree
from workbench.jobs import costs
from workbench.jobs.standing_costs import StandingCosts
from workbench.machines import Layout, Machine
from workbench.machines.fake import FakeProvider
from workbench.ui.cluster.machines.costs import CostsFold, show
from workbench.ui.cluster.machines.diagram import draw_machines
from workbench.verbs.jobs import JobCosts, MonthlyCosts


def test_machines_are_what_the_provider_shows(stand: Stand) -> None:
    stand.provider.launch("job-7", Layout(ps=1, workers=2))
    stand.page.machines.refresh()
    shown = stand.page.machines.list.html
    assert shown.count("<tr>") == 5
    assert "job 7" in shown
    assert "There is no provider" not in stand.page.machines.providers.html, "nobody asked for that one"
    stand.page.request.fields.provider.value = "aws"
    stand.page.machines.refresh()
    red = "The words in red beside Train say why"
    wait_until(lambda: "There is no provider" in stand.page.request.hints.html, 60, "the words in red")
    assert red in stand.page.machines.providers.html, "the request says it"
    assert red in stand.page.machines.plan.html
    stand.provider.terminate("job-7")
    stand.page.machines.refresh()
    assert stand.page.machines.list.html == ""
    assert "No training machines now" in stand.page.machines.diagram.html


def test_the_diagram_says_in_words_what_it_shows() -> None:
    provider = FakeProvider()
    provider.launch("job-1", Layout(ps=1, workers=6))
    drawn = draw_machines({"backend": True, "frontend": False}, provider.machines())
    assert 'aria-label="8 training machines in 1 cluster; backend answers, frontend does not answer"' in drawn
    assert drawn.count('data-state="running"') >= 8


def test_a_standing_cluster_is_launched_chosen_and_released(stand: Stand) -> None:
    machines, form = stand.page.machines, stand.page.request
    stand.page.requester.name = "ann"
    machines.clusters.launch.button.click()
    assert "Give the cluster a name" in machines.message.html
    machines.clusters.name.value, machines.clusters.ps.value, machines.clusters.workers.value = (
        "evening",
        "1",
        "3",
    )
    machines.clusters.launch.button.click()
    assert stand.provider.machines() == []
    machines.clusters.launch.yes.click()
    wait_until(lambda: "evening stands, with 5 machines" in machines.message.html, 60, "the cluster")
    assert ("evening", "evening") in form.fields.cluster.options
    form.fields.cluster.value = "evening"
    assert (form.fields.ps.value, form.fields.workers.value) == ("1", "3")
    form.fields.workers.value = "2"
    press(form.train)
    assert "the job asks for 1 and 2" in stand.said
    form.fields.workers.value = "3"
    press(form.train)
    assert job(stand).cluster == "evening"
    press(machines.clusters.release)
    assert "is at work on evening" in machines.message.html
    stand.page.workbench.store.move(job(stand).id, "initializing", "terminated")
    press(machines.clusters.release)
    assert "is released" in machines.message.html
    assert stand.provider.machines() == []
    assert form.fields.cluster.value == ""


def test_a_standing_cluster_waits_for_machines_until_somebody_stops_the_asking(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    form, free = stand.page.machines.clusters, threading.Event()
    launch = stand.provider.launch

    def scarce(name: str, layout: Layout, folder: Path | None = None) -> list[Machine]:
        if not free.is_set():
            raise NoMachineFree("AWS has no such machine free now")
        return launch(name, layout, folder)

    monkeypatch.setattr(stand.provider, "launch", scarce)
    form.name.value = "evening"
    said = stand.page.machines.message
    form.launch.start()
    wait_until(lambda: "asked again in 15 s, until there is one; Stop ends" in said.html, 60, "the waiting")
    form.launch.stop.click()
    wait_until(lambda: "nothing was made" in said.html, 60, "the end of the asking")
    assert stand.provider.machines() == []
    free.set()
    wait_until(lambda: not form.launch.busy, 60, "the button")
    form.launch.start()
    wait_until(lambda: "evening stands" in said.html, 60, "the cluster")


NOVEMBER = costs.read_month("2026-11", 0.0)
DEAR = JobCosts(7, "net", "<ann>", 4, 2.0, 3.0, 0.25)


def test_a_months_costs_are_told_with_bars_that_show_what_nobody_used() -> None:
    found = MonthlyCosts("2026-11", [DEAR], [DEAR], [StandingCosts("lab", 2, 4.0, 12.0, 0.5)])
    told = show(found)
    assert "<b>$3.00</b> for jobs, and $6.00 for standing clusters without a job" in told
    assert "&lt;ann&gt;" in told
    assert "<ann>" not in told
    assert "--whole: 100.0%; --worked: 50.0%" in told, "the standing cluster's, the dearest"
    assert "--whole: 25.0%; --worked: 75.0%" in told, "ann's, beside it"
    (data,) = re.findall(r'href="data:text/csv;base64,([^"]+)"', told)
    assert base64.b64decode(data).decode() == found.csv()
    assert "free" in show(MonthlyCosts("2026-11", [], [], []))


def test_costs_are_counted_when_the_fold_is_opened_and_for_the_month_that_is_chosen(stand: Stand) -> None:
    now = [NOVEMBER.begin]
    fold = CostsFold(stand.page.workbench.jobs, lambda: now[0])
    assert fold.report.html == ""
    fold.widget.selected_index = 0
    assert "2026-11" in fold.report.html
    fold.month.value = "2026-01"
    assert "2026-01" in fold.report.html
    now[0] = NOVEMBER.end
    fold.refresh()
    assert "2026-12" in fold.report.html
