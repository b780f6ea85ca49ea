"""Clusters that are launched by name: jobs have them one after the other, and leave them ready."""

import json
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.runner.stand import RECIPE, RULES, works
from tests.stub_tools import measures, passes
from workbench import cli, runner
from workbench.errors import BadInput, NotFound
from workbench.jobs import Job
from workbench.machines import Layout
from workbench.machines.fake import FakeProvider
from workbench.settings import Settings
from workbench.verbs.requests import Request
from workbench.verbs.workbench import Workbench, open_store

TWO = Layout(workers=2)


@pytest.fixture
def provider() -> FakeProvider:
    return FakeProvider(works)


@pytest.fixture
def workbench(settings: Settings, provider: FakeProvider) -> Iterator[Workbench]:
    settings.logs.mkdir(parents=True)
    with open_store(settings) as store:
        yield Workbench(settings, store, start=lambda id, name: None, open_provider=lambda *_: provider)


def ask(workbench: Workbench, **more: object) -> int:
    wanted = {"name": "net", "requester": "ann", "recipe": RECIPE, "workers": 2, "cluster": "lab", **more}
    return workbench.jobs.submit(Request(**wanted))  # type: ignore[arg-type]


def run(workbench: Workbench, provider: FakeProvider, id: int) -> Job:
    job = workbench.store.job(id)
    assert job.lease is not None
    holder = job.lease.runner
    runner.run(
        id,
        holder,
        workbench.store,
        workbench.settings,
        provider=provider,
        check=passes,
        measure=measures,
        rules=RULES,
    )
    return workbench.store.job(id)


def test_a_job_uses_the_cluster_and_leaves_it_ready(workbench: Workbench, provider: FakeProvider) -> None:
    workbench.clusters.launch("lab", TWO)

    job = run(workbench, provider, ask(workbench))

    assert (job.state, job.cluster) == ("completed", "lab")
    assert {(m.cluster, m.state) for m in provider.machines()} == {("lab", "running")}
    assert provider.clusters["lab"].folder is None


def test_jobs_have_it_one_after_the_other(workbench: Workbench, provider: FakeProvider) -> None:
    workbench.clusters.launch("lab", TWO)
    first, second = ask(workbench), ask(workbench, requester="bob")
    other = ask(workbench, requester="bob", cluster=None)

    assert workbench.store.claim("x", cap=9) is not None, "a job of its own machines need not wait"
    assert workbench.store.job(other).state == "initializing"
    assert workbench.store.claim("x", cap=9) is None
    run(workbench, provider, first)
    claimed = workbench.store.claim("x", cap=9)
    assert claimed is not None
    assert claimed.id == second
    assert run(workbench, provider, second).state == "completed"


def test_a_job_must_ask_for_what_the_cluster_has(workbench: Workbench) -> None:
    with pytest.raises(NotFound, match="workbench launch cluster --name lab"):
        ask(workbench)
    workbench.clusters.launch("lab", TWO)
    with pytest.raises(BadInput, match="0 parameter servers and 2 workers, the job asks for 1 and 2"):
        ask(workbench, ps=1)
    assert workbench.store.jobs() == []


def test_a_cluster_that_was_released_before_its_job_fails_it_in_words(
    workbench: Workbench, provider: FakeProvider
) -> None:
    workbench.clusters.launch("lab", TWO)
    id = ask(workbench)
    provider.terminate("lab")

    job = run(workbench, provider, id)

    assert job.state == "failed"
    assert job.error is not None
    assert "no standing cluster is called 'lab'" in job.error.message


def test_a_cluster_at_work_is_neither_stopped_nor_released(
    workbench: Workbench, provider: FakeProvider
) -> None:
    workbench.clusters.launch("lab", TWO)
    id = ask(workbench)
    for end in (workbench.clusters.stop, workbench.clusters.release):
        with pytest.raises(BadInput, match=f"job {id} is at work on lab"):
            end("lab")
    run(workbench, provider, id)

    assert {m.state for m in workbench.clusters.stop("lab")} == {"stopped"}
    assert {m.state for m in workbench.clusters.start("lab")} == {"running"}
    workbench.clusters.release("lab")
    assert provider.machines() == []
    with pytest.raises(NotFound):
        workbench.clusters.release("lab")


@pytest.mark.parametrize("name", ["job-3", "task-job-3", "check-1"])
def test_the_clusters_of_jobs_are_left_to_them(
    workbench: Workbench, provider: FakeProvider, name: str
) -> None:
    provider.launch(name, TWO)
    clusters = workbench.clusters
    named: list[Callable[[str], object]] = [clusters.stop, clusters.start, clusters.release]
    verbs: list[Callable[[], object]] = [partial(clusters.launch, name, TWO)]
    verbs += [partial(one, name) for one in named]
    for verb in verbs:
        with pytest.raises(BadInput, match="belong to jobs"):
            verb()
    assert len(provider.machines(name)) == 2


def test_a_plan_is_printed_for_people_and_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["plan", "cluster", "--ps", "1", "--workers", "2", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert [r["name"] for r in said["resources"]] == ["chief-0", "ps-0", "worker-0", "worker-1"]
    assert said["price_per_hour"] == 0
    assert cli.main(["plan", "app"]) == 0
    assert "back end" in capsys.readouterr().out


def test_a_command_without_what_it_needs_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["launch", "cluster"]) == BadInput.exit_code
    assert "--name" in capsys.readouterr().err
    with pytest.raises(SystemExit, match=str(BadInput.exit_code)):
        cli.main(["plan", "--workers", "0"])
    assert "--workers: must be a whole number from 1" in capsys.readouterr().err
