"""Jobs are given out in fair turns, within the limits, and back when their runner dies."""

from collections import Counter
from collections.abc import Callable
from itertools import count

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.jobs.conftest import RECIPE, Clock, Opened
from workbench.events import Error
from workbench.jobs import ACTIVE, ENDED, LEASE_S, Store
from workbench.jobs.queue import Waiting, order
from workbench.jobs.values import NEXT

Submit = Callable[..., int]
REQUESTERS = ["ann", "bob", "cem", "dia"]
queues = st.lists(
    st.builds(Waiting, since=st.integers(0, 9), id=st.integers(1, 99), requester=st.sampled_from(REQUESTERS)),
    unique_by=lambda job: job.id,
    max_size=25,
)
last_turns = st.dictionaries(st.sampled_from(REQUESTERS), st.integers(1, 99))


@given(queues, last_turns)
def test_everybody_gets_a_turn_each_requesters_jobs_in_their_order(
    waiting: list[Waiting], last: dict[str, int]
) -> None:
    ordered = order(waiting, last)
    jobs = {job.id: job for job in waiting}
    assert sorted(ordered) == sorted(jobs)
    for requester in REQUESTERS:
        own = [jobs[id] for id in ordered if jobs[id].requester == requester]
        assert own == sorted(own)


@given(queues, last_turns)
def test_nobody_gets_a_second_turn_before_all_who_wait_got_one(
    waiting: list[Waiting], last: dict[str, int]
) -> None:
    requester = {job.id: job.requester for job in waiting}
    left = Counter(requester.values())
    turns: Counter[str] = Counter()
    for id in order(waiting, last):
        turns[requester[id]] += 1
        left[requester[id]] -= 1
        still = [turns[name] for name in left if left[name] > 0]
        assert all(turns[requester[id]] <= had + 1 for had in still)


@given(queues, last_turns)
def test_who_was_served_longest_ago_is_next(waiting: list[Waiting], last: dict[str, int]) -> None:
    requester = {job.id: job.requester for job in waiting}
    for id in order(waiting, last)[:1]:
        assert last.get(requester[id], 0) == min(last.get(name, 0) for name in requester.values())


def finish(store: Store, id: int, runner: str) -> None:
    """Let a claimed job end and its runner be done with it."""
    store.move(id, ACTIVE, "terminated")
    store.release(id, runner)


def test_a_claimed_job_is_initializing_and_held_by_its_runner(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit()
    job = store.claim("one", cap=2)
    assert job is not None
    assert (job.id, job.state, job.recipe) == (id, "initializing", RECIPE)
    assert job.lease is not None
    assert (job.lease.runner, job.lease.until) == ("one", clock.t + LEASE_S)
    assert store.claim("two", cap=2) is None


def test_twenty_jobs_of_four_requesters_take_turns_within_the_cap(store: Store, submit: Submit) -> None:
    for requester in REQUESTERS:
        for _ in range(5):
            submit(requester=requester)
    running: list[int] = []
    started: list[str] = []
    while True:
        while job := store.claim("runner", cap=3):
            running.append(job.id)
            started.append(job.requester)
            assert len(running) <= 3
        if not running:
            break
        finish(store, running.pop(0), "runner")
    assert started == REQUESTERS * 5


def test_the_places_in_the_queue_come_true(store: Store, submit: Submit) -> None:
    for requester in ("ann", "ann", "ann", "bob", "cem", "bob"):
        submit(requester=requester)
    places = store.positions()
    assert sorted(places.values()) == [1, 2, 3, 4, 5, 6]
    claimed = []
    while job := store.claim("runner", cap=100):
        assert store.position(job.id) is None
        claimed.append(job.id)
    assert claimed == sorted(places, key=lambda id: places[id])


def test_a_newcomer_need_not_wait_for_a_long_queue_of_another(store: Store, submit: Submit) -> None:
    for _ in range(5):
        submit(requester="ann")
    store.claim("runner", cap=100)
    late = submit(requester="bob")
    assert store.position(late) == 1


def test_no_requester_has_more_than_its_limit(store: Store, submit: Submit) -> None:
    ids = [submit(requester=requester) for requester in ("ann", "ann", "ann", "bob")]
    claimed = []
    while job := store.claim("runner", cap=100, per_requester=2):
        claimed.append(job.id)
    assert claimed == [ids[0], ids[3], ids[1]]
    finish(store, ids[3], "runner")
    assert store.claim("runner", cap=100, per_requester=2) is None
    finish(store, ids[0], "runner")
    job = store.claim("runner", cap=100, per_requester=2)
    assert job is not None
    assert job.id == ids[2]


def test_a_job_takes_its_place_until_its_runner_has_released_it(
    store: Store, submit: Submit, clock: Clock
) -> None:
    first, second = submit(), submit()
    store.claim("runner", cap=1)
    store.move(first, ACTIVE, "terminated")
    assert store.claim("other", cap=1) is None, "its machines may still be there"
    assert store.retry(first)
    assert store.claim("other", cap=9) == store.job(second)
    assert store.claim("other", cap=9) is None, "the first runner is still cleaning up"
    store.release(first, "runner")
    again = store.claim("other", cap=9)
    assert again is not None
    assert (again.id, again.attempt) == (first, 2)


def test_providers_have_queues_of_their_own(store: Store, submit: Submit) -> None:
    here, there = submit(provider="local"), submit(provider="aws")
    assert store.positions() == {here: 1, there: 1}
    assert store.claim("runner", cap=1) == store.job(here)
    assert store.claim("runner", cap=1, provider="aws") == store.job(there)


def test_a_job_queued_again_waits_behind_those_that_wait_already(
    store: Store, submit: Submit, clock: Clock
) -> None:
    first = submit()
    store.claim("runner", cap=1)
    finish(store, first, "runner")
    clock.t += 1
    second = submit()
    clock.t += 1
    store.retry(first)
    assert store.positions() == {second: 1, first: 2}


def test_a_lease_lasts_as_long_as_heartbeats_come(store: Store, submit: Submit, clock: Clock) -> None:
    id = submit()
    store.claim("one", cap=1)
    for _ in range(5):
        clock.t += LEASE_S - 1
        assert store.abandoned() == []
        assert not store.take_over(id, "two")
        assert store.heartbeat(id, "one")
    clock.t += LEASE_S + 1
    assert [job.id for job in store.abandoned()] == [id]
    assert store.abandoned(now=clock.t - 2) == []


def test_an_abandoned_job_is_taken_over_once_and_keeps_its_state(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit()
    store.claim("one", cap=1)
    store.move(id, "initializing", "training")
    clock.t += LEASE_S + 1
    assert store.take_over(id, "two")
    assert not store.take_over(id, "three")
    assert not store.heartbeat(id, "one"), "the first runner must stop"
    assert not store.release(id, "one")
    assert store.heartbeat(id, "two")
    assert store.job(id).state == "training"


def test_a_late_heartbeat_keeps_a_lease_that_nobody_took(store: Store, submit: Submit, clock: Clock) -> None:
    id = submit()
    store.claim("one", cap=1)
    clock.t += 10 * LEASE_S
    assert store.heartbeat(id, "one")
    assert store.abandoned() == []


def test_an_active_job_that_was_given_back_can_be_taken_over_at_once(store: Store, submit: Submit) -> None:
    id = submit()
    store.claim("one", cap=1)
    assert store.release(id, "one")
    assert not store.release(id, "one")
    assert [job.id for job in store.abandoned()] == [id]
    assert store.take_over(id, "two")


def test_a_job_that_ended_without_release_is_found_for_its_machines(
    store: Store, submit: Submit, clock: Clock
) -> None:
    id = submit()
    store.claim("one", cap=1)
    store.move(id, ACTIVE, "terminated")
    assert store.abandoned() == []
    clock.t += LEASE_S + 1
    assert [(job.id, job.state) for job in store.abandoned()] == [(id, "terminated")]
    assert store.take_over(id, "two")
    assert store.release(id, "two")
    assert store.abandoned() == []


class Life(RuleBasedStateMachine):
    """Any sequence of what runners, dashboards and the clock do, beside a model of what must come of it."""

    opened: Opened
    numbers = count(1)
    CAP, EACH = 3, 2
    runners = st.sampled_from(["one", "two", "three"])
    jobs = st.integers(0, 5)

    def __init__(self) -> None:
        super().__init__()
        self.store, self.clock = self.opened.store, self.opened.clock
        self.provider = f"cloud-{next(self.numbers)}"
        self.ids: list[int] = []
        self.state: dict[int, str] = {}
        self.requester: dict[int, str] = {}
        self.lease: dict[int, tuple[str, float] | None] = {}
        self.asked: dict[int, bool] = {}
        self.changes: dict[int, list[str]] = {}

    def teardown(self) -> None:
        """Leave nobody waiting, so that the next example's queue is not longer for it."""
        for id in self.ids:
            self.store.ask_terminate(id)

    def pick(self, number: int) -> int:
        return self.ids[number % len(self.ids)]

    def enter(self, id: int, state: str) -> None:
        self.state[id] = state
        self.changes[id].append(state)

    def held(self, id: int) -> bool:
        lease = self.lease[id]
        return lease is not None and lease[1] >= self.clock.t

    def busy(self) -> list[int]:
        return [id for id in self.ids if self.state[id] in ACTIVE or self.held(id)]

    def abandoned(self, id: int) -> bool:
        lease = self.lease[id]
        return self.state[id] in ACTIVE if lease is None else lease[1] < self.clock.t

    @precondition(lambda self: len(self.ids) < 6)
    @rule(requester=st.sampled_from(["ann", "bob"]))
    def submit(self, requester: str) -> None:
        id = self.store.submit(name="d", requester=requester, recipe=RECIPE, provider=self.provider)
        self.ids.append(id)
        self.changes[id], self.requester[id] = [], requester
        self.lease[id], self.asked[id] = None, False
        self.enter(id, "queued")

    @rule(seconds=st.sampled_from([1.0, LEASE_S / 2, LEASE_S + 1]))
    def wait(self, seconds: float) -> None:
        self.clock.t += seconds

    @rule(runner=runners)
    def claim(self, runner: str) -> None:
        busy = self.busy()
        per = Counter(self.requester[id] for id in busy)
        free = {
            id
            for id in self.ids
            if self.state[id] == "queued" and not self.held(id) and per[self.requester[id]] < self.EACH
        }
        job = self.store.claim(runner, self.CAP, self.EACH, provider=self.provider)
        if job is None:
            assert len(busy) >= self.CAP or not free
            return
        assert len(busy) < self.CAP
        assert job.id in free
        self.enter(job.id, "initializing")
        self.lease[job.id] = (runner, self.clock.t + LEASE_S)

    @precondition(lambda self: self.ids)
    @rule(number=jobs, runner=runners)
    def heartbeat(self, number: int, runner: str) -> None:
        id = self.pick(number)
        lease = self.lease[id]
        mine = lease is not None and lease[0] == runner
        assert self.store.heartbeat(id, runner) == mine
        if mine:
            self.lease[id] = (runner, self.clock.t + LEASE_S)

    @precondition(lambda self: self.ids)
    @rule(number=jobs, runner=runners)
    def release(self, number: int, runner: str) -> None:
        id = self.pick(number)
        lease = self.lease[id]
        mine = lease is not None and lease[0] == runner
        assert self.store.release(id, runner) == mine
        if mine:
            self.lease[id] = None

    @precondition(lambda self: self.ids)
    @rule(number=jobs, runner=runners)
    def take_over(self, number: int, runner: str) -> None:
        id = self.pick(number)
        free = self.abandoned(id)
        assert self.store.take_over(id, runner) == free
        if free:
            self.lease[id] = (runner, self.clock.t + LEASE_S)

    @precondition(lambda self: self.ids)
    @rule(
        number=jobs,
        states=st.sets(st.sampled_from(sorted(ACTIVE)), min_size=1),
        to=st.sampled_from(["training", "exporting", "completed", "failed", "terminated"]),
        runner=st.none() | runners,
    )
    def move(self, number: int, states: set[str], to: str, runner: str | None) -> None:
        id = self.pick(number)
        states = {state for state in states if to in NEXT[state]}
        lease = self.lease[id]
        allowed = runner is None or (lease is not None and lease[0] == runner)
        expected = self.state[id] in states and allowed
        moved = self.store.move(
            id,
            states,
            to,
            runner=runner,
            version=1 if to == "completed" else None,
            error=Error(self.clock.t, "worker", 0, "boom") if to == "failed" else None,
        )
        assert moved == expected
        if moved:
            self.enter(id, to)

    @precondition(lambda self: self.ids)
    @rule(number=jobs)
    def ask_terminate(self, number: int) -> None:
        id = self.pick(number)
        assert self.store.ask_terminate(id) == (self.state[id] not in ENDED)
        if self.state[id] not in ENDED:
            self.asked[id] = True
        if self.state[id] == "queued":
            self.enter(id, "terminated")

    @precondition(lambda self: self.ids)
    @rule(number=jobs, anew=st.booleans())
    def retry(self, number: int, anew: bool) -> None:
        id = self.pick(number)
        if self.state[id] != "completed":
            ended = self.state[id] in ENDED
            assert self.store.retry(id, anew) == ended
            if ended:
                self.enter(id, "queued")
                self.asked[id] = False

    @invariant()
    def the_store_knows_what_happened(self) -> None:
        found = [job for job in self.store.jobs(limit=10) if job.provider == self.provider]
        assert [job.id for job in found] == self.ids[::-1]
        for job in found:
            lease = self.lease[job.id]
            assert job.state == self.state[job.id]
            assert [change.state for change in job.changes] == self.changes[job.id]
            assert ((job.lease.runner, job.lease.until) if job.lease else None) == lease
            assert (job.terminate_asked is not None) == self.asked[job.id]
            assert (job.error is not None) == (job.state == "failed")
        mine = set(self.ids)
        assert {job.id for job in self.store.abandoned()} & mine == {
            id for id in self.ids if self.abandoned(id)
        }
        assert self.store.positions().keys() & mine == {id for id in self.ids if self.state[id] == "queued"}


def test_whatever_happens_in_whatever_order_the_store_agrees_with_the_model(
    store: Store, opened: Opened
) -> None:
    class OnThis(Life):
        pass

    OnThis.opened = opened
    run_state_machine_as_test(
        OnThis,
        settings=settings(
            max_examples=10, stateful_step_count=25, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
