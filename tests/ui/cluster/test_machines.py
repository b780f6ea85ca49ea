"""The machines on the cluster's page, and standing clusters."""

from tests.chain import wait_until
from tests.ui.cluster.stand import Stand, job
from workbench.machines import Layout
from workbench.machines.fake import FakeProvider
from workbench.ui.cluster.machines.diagram import draw_machines


def test_machines_are_what_the_provider_shows(stand: Stand) -> None:
    stand.provider.launch("job-7", Layout(ps=1, workers=2))
    stand.page.machines.refresh()
    shown = stand.page.machines.list.html
    assert shown.count("<tr>") == 5
    assert "job 7" in shown
    assert "there is no provider" not in stand.page.machines.providers.html, "nobody asked for that one"
    stand.page.request.fields.provider.value = "aws"
    stand.page.machines.refresh()
    assert "there is no provider" in stand.page.machines.providers.html
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
    machines.clusters.launch.yes.click()
    wait_until(lambda: "give the cluster a name" in machines.message.html, 60, "the error")
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
    stand.press(form.train)
    assert "the job asks for 1 and 2" in stand.said
    form.fields.workers.value = "3"
    stand.press(form.train)
    assert job(stand).cluster == "evening"
    machines.clusters.release.button.click()
    machines.clusters.release.yes.click()
    wait_until(lambda: "is at work on evening" in machines.message.html, 60, "the error")
    stand.page.workbench.store.move(job(stand).id, "initializing", "terminated")
    machines.clusters.release.button.click()
    machines.clusters.release.yes.click()
    wait_until(lambda: "is released" in machines.message.html, 60, "the end")
    assert stand.provider.machines() == []
    assert form.fields.cluster.value == ""
