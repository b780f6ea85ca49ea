"""What may be asked of a job, and what becomes of it."""

import json
from collections.abc import Callable

import pytest

from tests.jobs.conftest import RECIPE, Clock
from workbench.errors import BadInput, NotFound
from workbench.events import Error, Phase
from workbench.jobs import LEASE_S, STATES, MachineRecord, Store
from workbench.recipes import Recipe

Submit = Callable[..., int]
ERROR = Error(1.0, "worker", 1, "boom", "training", 7, "Traceback: boom")


def bring_to(store: Store, id: int, state: str) -> None:
    """Let the job, the only one that waits, come into a state as it does in life."""
    if state == "queued":
        return
    if state == "terminated":
        assert store.ask_terminate(id)
        return
    claimed = store.claim("runner", cap=100)
    assert claimed is not None
    assert claimed.id == id
    for at, to in (("initializing", "training"), ("training", "exporting")):
        if state in (at, "failed"):
            break
        assert store.move(id, at, to)
    if state == "completed":
        assert store.move(id, "exporting", "completed", version=1, accuracy=0.99)
    if state == "failed":
        assert store.move(id, "initializing", "failed", error=ERROR)


def test_a_new_job_waits_and_is_what_was_asked_for(store: Store, submit: Submit, clock: Clock) -> None:
    id = submit(
        name="mnist-cnn",
        requester="ann",
        ps=1,
        workers=2,
        epochs=3,
        provider="aws",
        instance_type="m5.large",
        cluster="big",
        price_per_hour=0.5,
    )
    job = store.job(id)
    assert (job.id, job.name, job.requester, job.state) == (id, "mnist-cnn", "ann", "queued")
    assert (job.ps, job.workers, job.epochs) == (1, 2, 3)
    assert (job.provider, job.instance_type, job.cluster) == ("aws", "m5.large", "big")
    assert (job.recipe, job.recipe_sha256) == (RECIPE, RECIPE.sha256)
    assert job.times == {"queued": clock.t}
    assert (job.attempt, job.origin) == (1, 1)
    assert (job.progress, job.step, job.of, job.accuracy, job.version) == (None, None, None, None, None)
    assert (job.error, job.machines, job.lease, job.terminate_asked) == (None, (), None, None)
    assert (job.execution_s, job.cost) == (0, 0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": "Has Capitals"},
        {"name": "../../etc"},
        {"name": ""},
        {"requester": ""},
        {"requester": " ann"},
        {"requester": "ann\n"},
        {"requester": "x" * 256},
        {"ps": -1},
        {"workers": 0},
        {"workers": 2**31},
        {"epochs": 0},
        {"recipe": Recipe("", "ok", "half a pair \ud800")},
        {"recipe": Recipe("", "#" * (4 * 1024**2 + 1), "ok")},
    ],
    ids=lambda wrong: next(iter(wrong)),
)
def test_what_no_job_can_have_is_refused(store: Store, submit: Submit, wrong: dict[str, object]) -> None:
    with pytest.raises(BadInput):
        submit(**wrong)
    assert store.jobs() == []


@pytest.mark.parametrize(
    "code",
    [
        "s = 'it''s \"quoted\" \\'escaped\\' \\\\ back' # %s %(x)s :name ? ;--",
        "windows\r\nold mac\runix\n\n  \ttabs and trailing space \n",
        "Zürich 数字 🧠 e\u0301 \u00e9 \u2028 \ufeff\u200b \u0000 \x1a \x7f",
        "x" * 3_000_000,
        "",
    ],
    ids=["quotes", "newlines", "unicode", "long", "empty"],
)
def test_code_comes_back_byte_for_byte(store: Store, submit: Submit, code: str) -> None:
    recipe = Recipe(code, code + "1", "2" + code)
    kept = store.job(submit(recipe=recipe)).recipe
    assert kept is not None
    for field in ("helpers", "preprocessing", "training"):
        assert getattr(kept, field).encode() == getattr(recipe, field).encode()


def test_names_that_differ_in_case_accent_or_alphabet_are_different(store: Store, submit: Submit) -> None:
    names = ["ann", "Ann", "ANN", "änn", "a\u0308nn", "анн", "🧠"]
    ids = [submit(requester=name) for name in names]
    for name, id in zip(names, ids, strict=True):
        assert [job.id for job in store.jobs(requester=name)] == [id]


def test_equal_recipes_are_kept_once_and_serve_every_job(store: Store, submit: Submit) -> None:
    first, second = submit(), submit()
    assert store.job(first).recipe == store.job(second).recipe == RECIPE


@pytest.mark.parametrize("state", STATES)
def test_a_job_moves_only_from_the_state_that_is_named(store: Store, submit: Submit, state: str) -> None:
    id = submit()
    bring_to(store, id, state)
    assert store.job(id).state == state
    for at, to in (("initializing", "training"), ("training", "exporting")):
        if state != at:
            assert not store.move(id, at, to)
    assert store.job(id).state == state


def test_the_same_move_is_made_once(store: Store, submit: Submit) -> None:
    id = submit()
    bring_to(store, id, "initializing")
    assert [store.move(id, {"initializing", "training"}, "exporting") for _ in range(3)] == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize(
    ("at", "to"),
    [("queued", "training"), ("training", "initializing"), ("completed", "training"), ("failed", "queued")],
)
def test_a_move_that_no_job_makes_is_refused(store: Store, submit: Submit, at: str, to: str) -> None:
    with pytest.raises(ValueError, match="no job goes"):
        store.move(submit(), at, to)


def test_a_job_is_never_completed_without_a_version_nor_fails_without_a_reason(
    store: Store, submit: Submit
) -> None:
    id = submit()
    bring_to(store, id, "exporting")
    with pytest.raises(ValueError, match="version"):
        store.move(id, "exporting", "completed", accuracy=0.99)
    with pytest.raises(ValueError, match="error"):
        store.move(id, "exporting", "failed")
    assert store.job(id).state == "exporting"


def test_a_completed_job_has_its_version_and_accuracy(store: Store, submit: Submit) -> None:
    id = submit()
    bring_to(store, id, "completed")
    job = store.job(id)
    assert (job.version, job.accuracy, job.error) == (1, 0.99, None)


def test_a_failed_job_names_the_error_that_ended_it_among_all_that_were_reported(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit()
    bring_to(store, id, "initializing")
    cause = Error(clock.t + 1, "worker", 1, "boom 🧠", "training", 7, "Traceback …")
    store.apply(id, [cause, Error(clock.t + 2, "chief", 0, "a worker is gone")])
    assert store.job(id).error is None
    assert store.move(id, "initializing", "failed", error=cause)
    assert store.job(id).error == cause
    assert [error.role for error in store.errors(id)] == ["worker", "chief"]
    store.apply(id, [cause])
    assert store.job(id).error == cause
    assert len(store.errors(id)) == 2


def test_a_runner_that_lost_its_lease_changes_nothing_any_more(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit()
    bring_to(store, id, "initializing")
    clock.t += LEASE_S + 1
    assert store.take_over(id, "another")
    assert not store.move(id, "initializing", "failed", runner="runner", error=ERROR)
    assert store.move(id, "initializing", "training", runner="another")


def test_a_waiting_job_is_terminated_at_once(store: Store, submit: Submit) -> None:
    id = submit()
    assert store.ask_terminate(id)
    assert store.job(id).state == "terminated"
    assert store.claim("runner", cap=1) is None


def test_a_running_job_is_terminated_by_its_runner(store: Store, submit: Submit, clock: Clock) -> None:
    id = submit()
    bring_to(store, id, "training")
    assert not store.terminate_asked(id)
    asked_at = clock.t
    assert store.ask_terminate(id)
    clock.t += 5
    assert store.ask_terminate(id)
    assert store.terminate_asked(id)
    assert (store.job(id).state, store.job(id).terminate_asked) == ("training", asked_at)
    assert store.move(id, {"training"}, "terminated")


@pytest.mark.parametrize("state", ["completed", "failed", "terminated"])
def test_a_job_that_has_ended_is_not_terminated(store: Store, submit: Submit, state: str) -> None:
    id = submit()
    bring_to(store, id, state)
    assert not store.ask_terminate(id)
    assert store.job(id).state == state


@pytest.mark.parametrize("anew", [False, True])
def test_a_job_queued_again_continues_or_begins_from_nothing(
    store: Store, submit: Submit, clock: Clock, anew: bool
) -> None:
    id = submit()
    bring_to(store, id, "failed")
    clock.t += 10
    assert store.retry(id, anew=anew)
    job = store.job(id)
    assert (job.state, job.attempt, job.origin) == ("queued", 2, 2 if anew else 1)
    assert (job.error, job.terminate_asked) == (None, None)
    assert [change.state for change in job.changes] == ["queued", "initializing", "failed", "queued"]
    assert not store.retry(id, anew=anew), "somebody else did so already"


def test_asking_for_the_end_of_one_attempt_does_not_end_the_next(store: Store, submit: Submit) -> None:
    id = submit()
    bring_to(store, id, "training")
    store.ask_terminate(id)
    store.move(id, "training", "terminated")
    store.release(id, "runner")
    store.retry(id)
    assert not store.terminate_asked(id)


def test_a_completed_job_is_not_queued_again(store: Store, submit: Submit) -> None:
    id = submit()
    bring_to(store, id, "completed")
    with pytest.raises(BadInput, match="submit it again"):
        store.retry(id)


def test_time_at_work_counts_over_all_attempts_and_makes_the_cost(
    store: Store, submit: Submit, clock: Clock
) -> None:
    """Of the time at work only that counts as cost in which machines existed: not a check, nor a launch that got none."""
    id = submit(price_per_hour=2.0)
    clock.t += 1000
    bring_to(store, id, "initializing")
    clock.t += 100
    assert (store.job(id).execution_s, store.job(id).cost) == (100, 0)
    store.note_machines_since(id, clock.t)
    clock.t += 200
    store.note_machines_since(id, clock.t)
    assert (store.job(id).execution_s, store.job(id).machines_s) == (300, 200)
    store.move(id, "initializing", "training")
    clock.t += 300
    assert store.job(id).execution_s == 600
    store.move(id, "training", "failed", error=ERROR)
    store.release(id, "runner")
    clock.t += 5000
    store.retry(id)
    clock.t += 5000
    bring_to(store, id, "initializing")
    clock.t += 1200
    job = store.job(id)
    assert job.execution_s == 1800
    assert job.machines_s == 500
    assert job.cost == pytest.approx(500 / 1800)
    store.note_machines_since(id, clock.t - 900)
    assert store.job(id).machines_s == 1400
    other = submit(price_per_hour=2.0)
    assert [one.id for one in store.page(sort="cost").jobs] == [id, other]


def test_the_leading_machine_brings_its_job_forward(store: Store, submit: Submit, clock: Clock) -> None:
    id = submit(ps=1, workers=1)
    bring_to(store, id, "initializing")
    t = clock.t
    store.apply(id, [Phase(t + 1, "worker", 0, "training")])
    assert store.job(id).state == "initializing"
    store.apply(id, [Phase(t + 2, "chief", 0, "training"), Phase(t + 8, "chief", 0, "exporting")])
    store.apply(id, [Phase(t + 9, "chief", 0, "training"), Phase(t + 10, "chief", 0, "done")])
    job = store.job(id)
    assert job.state == "exporting"
    assert job.times == {"queued": t, "initializing": t, "training": t + 2, "exporting": t + 8}


def test_the_first_worker_leads_where_there_is_no_chief(store: Store, submit: Submit, clock: Clock) -> None:
    id = submit(ps=0, workers=2)
    bring_to(store, id, "initializing")
    store.apply(id, [Phase(clock.t + 1, "worker", 0, "training")])
    assert store.job(id).state == "training"


def test_what_was_said_in_an_earlier_attempt_does_not_bring_a_job_forward(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit(ps=0, workers=1)
    bring_to(store, id, "failed")
    said = [Phase(clock.t + 1, "worker", 0, "training"), Error(clock.t + 1, "worker", 0, "old")]
    clock.t += 100
    store.release(id, "runner")
    store.retry(id)
    bring_to(store, id, "initializing")
    store.apply(id, said)
    assert store.job(id).state == "initializing"
    assert store.errors(id) == []


def test_a_terminated_job_stays_so_whatever_its_machines_still_say(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit(ps=0, workers=1)
    bring_to(store, id, "initializing")
    store.move(id, "initializing", "terminated")
    store.apply(id, [Phase(clock.t + 1, "worker", 0, "training")])
    assert store.job(id).state == "terminated"


def test_machines_are_recorded_and_changed_in_place(store: Store, submit: Submit, clock: Clock) -> None:
    id, other = submit(), submit()
    store.keep_machines(
        id, [MachineRecord("ps", 0, "running", pid=10), MachineRecord("chief", 0, "running", pid=11)]
    )
    store.keep_machines(
        id,
        [MachineRecord("ps", 0, "terminated", pid=10), MachineRecord("worker", 1, "pending", instance="i-7")],
    )
    store.apply(id, [Phase(clock.t + 2, "chief", 0, "training"), Phase(clock.t + 1, "chief", 0, "starting")])
    assert store.job(id).machines == (
        MachineRecord("chief", 0, "running", pid=11, phase="training"),
        MachineRecord("ps", 0, "terminated", pid=10),
        MachineRecord("worker", 1, "pending", instance="i-7"),
    )
    assert store.job(other).machines == ()


def test_listings_are_newest_first_and_can_be_narrowed_and_paged(store: Store, submit: Submit) -> None:
    ids = [submit(requester=who) for who in ("ann", "bob", "ann", "bob")]
    store.ask_terminate(ids[0])
    assert [job.id for job in store.jobs()] == ids[::-1]
    assert [job.id for job in store.jobs(limit=2)] == [ids[3], ids[2]]
    assert [job.id for job in store.jobs(limit=2, before=ids[2])] == [ids[1], ids[0]]
    assert [job.id for job in store.jobs(requester="ann")] == [ids[2], ids[0]]
    assert [job.id for job in store.jobs("terminated")] == [ids[0]]
    assert [job.id for job in store.jobs({"terminated", "queued"}, "bob")] == [ids[3], ids[1]]
    assert {job.recipe for job in store.jobs()} == {None}
    with pytest.raises(BadInput, match="asleep"):
        store.jobs("asleep")


def test_a_listing_is_a_handful_of_queries_however_long(
    store: Store, submit: Submit, count_queries: Callable[[], int]
) -> None:
    for _ in range(3):
        submit()
    before = count_queries()
    assert len(store.jobs()) == 3
    few = count_queries() - before
    for _ in range(30):
        submit()
    before = count_queries()
    assert len(store.jobs()) == 33
    assert count_queries() - before == few < 8


def test_a_job_prints_as_json_with_what_the_contract_names(store: Store, submit: Submit) -> None:
    id = submit()
    bring_to(store, id, "failed")
    store.keep_machines(id, [MachineRecord("worker", 1, "terminated", pid=7)])
    shown = json.loads(json.dumps(store.job(id).as_json()))
    contract = "id name requester state accuracy error step of ps workers version machines"
    assert set(contract.split()) <= set(shown)
    assert shown["error"]["role"] == "worker"
    assert shown["machines"][0]["pid"] == 7


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.job(404),
        lambda store: store.errors(404),
        lambda store: store.terminate_asked(404),
        lambda store: store.ask_terminate(404),
        lambda store: store.retry(404),
        lambda store: store.move(404, "training", "exporting"),
        lambda store: store.apply(404, []),
        lambda store: store.keep_machines(404, []),
    ],
)
def test_a_job_that_is_not_there_is_not_found(store: Store, ask: Callable[[Store], object]) -> None:
    with pytest.raises(NotFound, match="404"):
        ask(store)
    assert not store.heartbeat(404, "runner")
    assert not store.release(404, "runner")
    assert not store.take_over(404, "runner")
    assert store.position(404) is None
