"""What every provider promises. Another one joins with a fixture that gives its ``Bench``."""

import json

import pytest

from tests.chain import wait_until
from tests.machines.bench import ENDLESS, Bench
from workbench import events
from workbench.errors import BadInput, NotFound
from workbench.machines import Exit, Layout, Machine, Place, machine_folder

CLUSTER = Layout(ps=1, workers=2)
CHIEF, PS, FIRST, SECOND = CLUSTER.places


@pytest.fixture(params=["fake", "local", "open_local", "aws"])
def bench(request: pytest.FixtureRequest) -> Bench:
    bench: Bench = request.getfixturevalue(request.param)
    return bench


def states(machines: list[Machine]) -> dict[Place, str]:
    return {machine.place: machine.state for machine in machines}


def processes(machines: list[Machine]) -> dict[Place, int | str | None]:
    return {machine.place: machine.pid or machine.instance for machine in machines}


def test_a_plan_names_every_machine_and_makes_none(bench: Bench) -> None:
    plan = bench.provider.plan(CLUSTER)

    assert [resource.name for resource in plan.resources] == ["chief-0", "ps-0", "worker-0", "worker-1"]
    assert plan.price_per_hour >= 0
    assert bench.provider.machines() == []


def test_a_launch_gives_running_machines_each_with_its_own_address(bench: Bench) -> None:
    launched = bench.provider.launch("one", CLUSTER)

    assert states(launched) == dict.fromkeys(CLUSTER.places, "running")
    assert len({machine.address for machine in launched}) == 4
    assert len(set(processes(launched).values()) - {None}) == 4
    assert bench.again().machines("one") == launched
    assert bench.again().machines() == launched


def test_the_machines_of_a_job_find_each_others_addresses_in_it(bench: Bench) -> None:
    folder = bench.job()

    address = {m.place: m.address for m in bench.provider.launch("one", CLUSTER, folder)}

    assert json.loads((folder / "job.json").read_text()) == {
        "job": 1,
        "cluster": {
            "chief": [address[CHIEF]],
            "ps": [address[PS]],
            "worker": [address[FIRST], address[SECOND]],
        },
    }


def test_a_name_is_given_once(bench: Bench) -> None:
    first = bench.provider.launch("one", Layout())

    with pytest.raises(BadInput, match="'one'"):
        bench.again().launch("one", Layout())

    assert bench.provider.machines() == first


def test_a_cluster_without_a_job_takes_one_and_then_another(bench: Bench) -> None:
    bench.provider.launch("standing", Layout(workers=2))
    for number in (1, 2):
        folder = bench.job(number, ENDLESS)

        assigned = bench.again().assign("standing", folder)

        assert set(states(assigned).values()) == {"running"}
        assert set(json.loads((folder / "job.json").read_text())["cluster"]) == {"worker"}


def test_machines_whose_job_is_taken_away_stand_ready_again(bench: Bench) -> None:
    bench.provider.launch("standing", CLUSTER, bench.job())

    ready = bench.again().assign("standing", None)

    assert set(states(ready).values()) == {"running"}
    assert bench.provider.run(ready[0], "true").code == 0
    again = bench.provider.assign("standing", bench.job(2))
    assert set(states(again).values()) == {"running"}


def test_stopped_machines_start_again_and_those_that_run_are_left_alone(bench: Bench) -> None:
    before = processes(bench.provider.launch("one", CLUSTER, bench.job()))

    stopped = bench.provider.stop("one", [SECOND])
    assert states(stopped) == {CHIEF: "running", PS: "running", FIRST: "running", SECOND: "stopped"}

    started = bench.again().start("one")
    assert set(states(started).values()) == {"running"}
    after = processes(started)
    assert [place for place in CLUSTER.places if before[place] != after[place]] == [SECOND]
    assert processes(bench.provider.start("one")) == after


def test_everything_can_be_stopped_and_stopped_again(bench: Bench) -> None:
    bench.provider.launch("one", CLUSTER, bench.job())

    for provider in (bench.provider, bench.again()):
        assert set(states(provider.stop("one")).values()) == {"stopped"}

    assert set(states(bench.provider.start("one", [CHIEF])).values()) == {"running", "stopped"}
    assert bench.provider.stop("unknown") == []


def test_a_machine_that_ended_says_how(bench: Bench) -> None:
    victim = bench.provider.launch("one", CLUSTER, bench.job())[3]

    bench.crash(victim)

    ended = wait_until(
        lambda: next((m for m in bench.again().machines("one") if m.exit), None), 5, "the machine's end"
    )
    assert (ended.place, ended.state, ended.exit) == (SECOND, "stopped", Exit(-9))
    assert str(ended.exit) == "signal SIGKILL"


def test_a_terminated_cluster_is_gone_and_its_name_free(bench: Bench) -> None:
    bench.provider.launch("one", CLUSTER, bench.job())

    for _ in range(2):
        bench.again().terminate("one")

    assert bench.provider.machines() == bench.provider.machines("one") == []
    assert bench.provider.launch("one", Layout())


def test_clusters_do_not_touch_each_other(bench: Bench) -> None:
    bench.provider.launch("one", Layout(), bench.job(1))
    other = bench.provider.launch("one-2", Layout(), bench.job(2))

    bench.provider.terminate("one")

    assert bench.provider.machines() == other


def test_a_command_runs_on_a_machine(bench: Bench) -> None:
    machine = bench.provider.launch("one", Layout())[0]

    done = bench.again().run(machine, "echo", "words")

    assert (done.code, done.stderr) == (0, "")
    assert "words" in done.stdout


def test_what_is_not_there_is_not_found(bench: Bench) -> None:
    machine = bench.provider.launch("one", Layout())[0]
    bench.provider.terminate("one")

    with pytest.raises(NotFound):
        bench.provider.start("one")
    with pytest.raises(NotFound):
        bench.provider.assign("one", bench.job())
    with pytest.raises(NotFound):
        bench.provider.run(machine, "true")
    bench.provider.terminate("one")


@pytest.mark.parametrize(("ps", "workers"), [(0, 0), (-1, 1), (1, 10_000)])
def test_an_impossible_layout_is_refused(ps: int, workers: int) -> None:
    with pytest.raises(BadInput, match=f"workers={workers}"):
        Layout(ps, workers)


def test_what_machines_reported_is_in_the_jobs_folder_once_it_was_collected(bench: Bench) -> None:
    folder = bench.job()
    bench.provider.launch("one", Layout(), folder)
    path = machine_folder(folder, Place("worker", 0)) / "events.jsonl"

    def phases() -> list[str]:
        for whole in (False, True):
            bench.again().collect("one", folder, whole)
        return [event.phase for event in events.read(path)[0] if isinstance(event, events.Phase)]

    if bench.works:
        wait_until(lambda: "training" in phases(), 10, "the machine's report")
    assert not (folder / "fields.json").exists()
    bench.provider.collect("unknown", folder)
