"""What a runner does about what it sees: every line of the table in ``workbench.runner.faults``."""

from dataclasses import replace

import pytest

from workbench.events import Error
from workbench.machines import Exit, Layout, Machine, Place
from workbench.runner.faults import Again, Fail, Hangs, Publish, Restart, Rules, View, Wait, decide

RULES = Rules(silent_s=100, settle_s=5, restarts=2, restarts_in_all=10)
ONE, SYNC, SERVED = Layout(), Layout(workers=2), Layout(ps=1, workers=2)
CHIEF, PS, FIRST, SECOND = SERVED.places
KILLED, BROKE, RECIPE, DONE = Exit(-9), Exit(4), Exit(3), Exit(0)


def view(layout: Layout, ends: dict[Place, Exit | None] | None = None, **more: object) -> View:
    """Machines of which those in ``ends`` have ended in this way; ``None``: nobody knows how."""
    machines = [
        Machine("c", p.role, p.index, "stopped", exit=ends[p])
        if ends and p in ends
        else Machine("c", p.role, p.index, "running")
        for p in layout.places
    ]
    nothing = View(layout, machines, {}, {}, 5, [], 1000.0, 1000.0, 990.0, False)
    return replace(nothing, **more)  # type: ignore[arg-type]


def again(action: object) -> tuple[set[Place], set[Place]]:
    assert isinstance(action, Again), action
    return set(action.stop), set(action.start)


@pytest.mark.parametrize("layout", [ONE, SYNC, SERVED])
def test_while_all_run_nothing_is_done(layout: Layout) -> None:
    assert decide(view(layout), RULES) == Wait()


def test_the_only_machine_is_started_again() -> None:
    assert again(decide(view(ONE, {FIRST: KILLED}), RULES)) == ({FIRST}, {FIRST})


def test_all_synchronous_workers_are_started_again_when_one_ends() -> None:
    action = decide(view(SYNC, {SECOND: KILLED}), RULES)

    assert again(action) == ({FIRST, SECOND}, {FIRST, SECOND})
    assert isinstance(action, Again)
    assert action.why == "worker 1 ended: signal SIGKILL"


def test_a_worker_beside_parameter_servers_is_started_again_alone() -> None:
    assert again(decide(view(SERVED, {SECOND: KILLED}), RULES)) == (set(), {SECOND})


def test_a_parameter_server_takes_the_chief_with_it() -> None:
    assert again(decide(view(SERVED, {PS: KILLED}), RULES)) == ({CHIEF}, {CHIEF, PS})
    assert again(decide(view(SERVED, {PS: KILLED, CHIEF: BROKE}), RULES)) == ({CHIEF}, {CHIEF, PS})


def test_a_new_chief_attaches_to_the_others() -> None:
    assert again(decide(view(SERVED, {CHIEF: KILLED}), RULES)) == (set(), {CHIEF})


@pytest.mark.parametrize("ended", [CHIEF, PS])
def test_a_new_chief_has_those_started_that_were_done_before_it(ended: Place) -> None:
    done = view(SERVED, {ended: KILLED, FIRST: DONE}, phases={FIRST: "done"})

    assert again(decide(done, RULES))[1] == {CHIEF, ended, FIRST}


def test_after_a_power_cut_all_are_started_again() -> None:
    gone: dict[Place, Exit | None] = dict.fromkeys(SERVED.places)

    assert again(decide(view(SERVED, gone), RULES))[1] == set(SERVED.places)


def test_the_recipes_own_failure_ends_the_job_with_its_words() -> None:
    error = Error(1.0, "worker", 1, "ValueError: no", "training", 7, "Traceback …")

    action = decide(view(SYNC, {FIRST: BROKE, SECOND: RECIPE}, errors={SECOND: error}), RULES)

    assert action == Fail(SECOND, "ValueError: no", error)


def test_a_machine_that_used_too_much_memory_is_not_started_again() -> None:
    action = decide(view(SERVED, {SECOND: Exit(-9, "used 9.0 GB of memory")}), RULES)

    assert action == Fail(SECOND, "worker 1 used 9.0 GB of memory")


def test_who_lost_a_peer_is_not_the_cause_and_the_cause_gets_time_to_say_so() -> None:
    lost = view(SYNC, {FIRST: BROKE}, broken_since=998.0)

    assert decide(lost, RULES) == Wait()
    assert decide(replace(lost, broken_since=990.0), RULES) == decide(
        view(SYNC, {FIRST: BROKE}, broken_since=0.0), RULES
    )
    assert again(decide(replace(lost, broken_since=990.0), RULES))[1] == {FIRST, SECOND}
    assert again(decide(view(SYNC, {FIRST: BROKE, SECOND: BROKE}, broken_since=1000.0), RULES))


def test_a_process_that_ends_well_without_having_been_done_has_not_ended_well() -> None:
    assert again(decide(view(SERVED, {SECOND: DONE}), RULES))[1] == {SECOND}
    assert decide(view(SERVED, {SECOND: DONE}, phases={SECOND: "done"}), RULES) == Wait()


def test_a_machine_that_gets_no_further_is_given_up() -> None:
    tried = [Restart(900.0 + n, frozenset({SECOND}), step=5) for n in range(2)]

    action = decide(view(SERVED, {SECOND: KILLED}, restarts=tried), RULES)

    assert isinstance(action, Fail)
    assert action.place == SECOND
    assert action.message == "worker 1 ended: signal SIGKILL; 2 new starts came no step further"
    assert again(decide(view(SERVED, {SECOND: KILLED}, restarts=tried, step=6), RULES))
    assert again(decide(view(SERVED, {FIRST: KILLED}, restarts=tried), RULES))


def test_not_even_progress_keeps_a_machine_alive_for_ever() -> None:
    tried = [Restart(900.0 + n, frozenset({SECOND}), step=n) for n in range(10)]

    assert isinstance(decide(view(SERVED, {SECOND: KILLED}, restarts=tried, step=50), RULES), Fail)


def test_silence_means_that_it_hangs() -> None:
    assert decide(view(SERVED, heard=880.0), RULES) == Hangs(120.0)
    assert decide(view(SERVED, heard=901.0), RULES) == Wait()


def test_an_export_is_published_once_the_leader_has_ended() -> None:
    assert decide(view(SERVED, exported=True), RULES) == Wait()
    assert decide(view(SERVED, {CHIEF: DONE}, exported=True, phases={CHIEF: "done"}), RULES) == Publish()
    assert decide(view(SERVED, {CHIEF: KILLED}, exported=True), RULES) == Publish()


def test_a_leader_that_was_done_without_a_model_fails_the_job() -> None:
    action = decide(view(ONE, {FIRST: DONE}, phases={FIRST: "done"}), RULES)

    assert action == Fail(FIRST, "worker 0 was done but left no model")
