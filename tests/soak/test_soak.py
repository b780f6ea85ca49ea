"""A short soak of a small workbench, and that the judge sees what would be wrong."""

import math
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.soak import judging
from tests.soak.figures import table
from tests.soak.notes import Answer, Change, Hit, Sample
from tests.soak.running import soak
from tests.soak.schedule import KINDS, REST_S, Pace, choose, plan
from workbench.services.child import GIVE_UP_AFTER, GIVE_UP_WITHIN_S

DIGITS = {1: 3, 2: 8, 3: 5}
SHORT = Pace(kill=1.4, submit=2.0, terminate=6.0, deploy=3.0, rollback=7.0, fill=None, calm_s=2.0)


def test_a_small_workbench_keeps_its_promises_while_its_processes_are_killed(
    tmp_path: Path, free_ports: Callable[[int], list[int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("LIMIT_S", "AFTERMATH_S"):  # the computer may be busy with other tests
        monkeypatch.setattr(judging, limit, 200.0)
    found, findings = soak(
        tmp_path / "home", free_ports(3), 15, seed=4, pace=SHORT, rate=8, small=True, patience_s=300
    )
    print(f"\n{table(found, findings)}")
    assert findings == []
    assert found["drawings"]["answered"] >= 1
    assert found["versions"]["switched"] >= 1
    assert sum(found["hits"].values()) >= 3
    assert {"gunicorn", "backend worker", "apache"} & set(found["hits"])
    assert {"runner", "worker", "chief", "ps"} & set(found["hits"])
    assert found["jobs"]["completed"] >= 1
    assert found["corrections"]["acknowledged"] >= 1


def test_the_same_seed_gives_the_same_acts_and_another_one_others() -> None:
    assert plan(7, 120) == plan(7, 120)
    assert plan(7, 120) != plan(8, 120)


def test_the_disk_is_emptied_before_the_calm_at_the_end() -> None:
    for seed in range(50):
        acts = plan(seed, 90, Pace(fill=20.0, calm_s=10.0))
        assert [act.do for act in acts].count("fill") == [act.do for act in acts].count("empty") > 0
        assert max(act.at_s for act in acts) <= 80


def test_no_service_is_killed_so_often_that_giving_up_would_be_right() -> None:
    killed: dict[str, float] = {}
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for act in plan(3, 3600, Pace(kill=1.0)):
        if act.do == "kill" and (kind := choose(act.order, KINDS, killed, act.at_s)):
            killed[kind] = act.at_s
            times[kind].append(act.at_s)
    for kind in REST_S:
        for n in range(GIVE_UP_AFTER - 1, len(times[kind])):
            assert times[kind][n] - times[kind][n - GIVE_UP_AFTER + 1] >= GIVE_UP_WITHIN_S
    assert all(times.values())


def test_the_first_that_lives_and_has_rested_is_killed() -> None:
    assert choose(("apache", "ps"), {"ps"}, {}, 0.0) == "ps"
    assert choose(("apache", "ps"), {"apache", "ps"}, {"apache": 95.0}, 100.0) == "ps"
    assert choose(("apache",), {"apache"}, {"apache": 0.0}, 100.0) == "apache"
    assert choose(("apache",), set(), {}, 100.0) is None


@pytest.mark.parametrize(
    ("began", "ended", "versions"),
    [
        (0.0, 1.0, {1}),
        (9.0, 11.0, {1, 2}),
        (10.5, 11.0, {1, 2}),
        (13.0, 14.0, {2}),
        (21.0, 21.5, {2, 3}),
        (30.0, 31.0, {2, 3}),
        (41.0, 42.0, {1, 2, 3}),
        (60.0, 61.0, {1}),
        (9.0, 61.0, {1, 2, 3}),
    ],
    ids=[
        "before",
        "over its begin",
        "under way",
        "after",
        "fails",
        "after it failed",
        "back",
        "at last",
        "all",
    ],
)
def test_an_answer_may_be_of_any_version_that_could_be_active_meanwhile(
    began: float, ended: float, versions: set[int]
) -> None:
    changes = [
        Change(10, 12, 2, True),
        Change(20, 22, 3, False),
        Change(40, 42, None, False),
        Change(50, 52, 1, True),
    ]
    assert judging.versions_that_may_answer(1, changes, DIGITS, began, ended) == versions


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(0, 1, 200, "8", 2), "a wrong digit: '8' by version 2"),
        (Answer(0, 1, 200, "8"), "a wrong digit"),
        (Answer(0, 1, 200, "None", 1), "a wrong digit"),
        (Answer(50, 90, 200, "3", 1), "kept waiting for 40.0 s"),
        (Answer(50, 51, 400, said="no picture"), "a good drawing was refused: 400 no picture"),
        (Answer(100, 101, 503), "though nothing was hit: 503"),
    ],
    ids=["not deployed", "not deployed, plain", "nothing", "late", "refused", "without a cause"],
)
def test_an_answer_that_should_not_be_is_found(answer: Answer, words: str) -> None:
    hits = [Hit(50, "apache"), Hit(99, "jupyter")]
    (found,) = judging.judge_answers([answer], DIGITS, 1, [], hits)
    assert words in found


def test_good_answers_and_failures_with_a_cause_are_fine() -> None:
    answers = [
        Answer(0, 1, 200, "3", 1),
        Answer(0, 1, 200, "3"),
        Answer(51, 52, 503),
        Answer(49, 51, 0),
        Answer(100, 125, 502),
    ]
    hits = [Hit(50, "gunicorn"), Hit(90, "full disk", ended=98)]
    assert judging.judge_answers(answers, DIGITS, 1, [], hits) == []


def job(state: str, error: str | None = None, version: int | None = None) -> dict[str, object]:
    return {"state": state, "version": version, "error": error and {"message": error}}


@pytest.mark.parametrize(
    ("state", "hits", "words"),
    [
        (job("completed", version=1), [], "does not load: it is empty"),
        (job("terminated"), [], "which nobody asked for"),
        (job("training"), [], "has not ended: training"),
        (job("failed", "OSError: No space left on device"), [], "a reason that is none"),
        (
            job("failed", "ps 0 ended; 3 new starts came no step further"),
            [Hit(1, "ps")],
            "a reason that is none",
        ),
        (
            job("failed", "the runner failed: KeyError: 'x'"),
            [Hit(1, "full disk")] * 9,
            "a reason that is none",
        ),
    ],
    ids=["no model", "not asked", "no end", "no full disk", "too few kills", "something else"],
)
def test_a_job_that_is_told_wrong_is_found(state: dict[str, object], hits: list[Hit], words: str) -> None:
    (found,) = judging.judge_jobs({1: state}, [1], [], {1: "it is empty"}, hits)
    assert words in found


def test_jobs_with_true_ends_are_fine_and_a_lost_one_is_not() -> None:
    jobs = {
        1: job("completed", version=1),
        2: job("terminated"),
        3: job("failed", "OSError: No space left on device"),
        4: job("failed", "ps 0 ended: signal SIGKILL; 3 new starts came no step further"),
    }
    hits = [Hit(1, "full disk"), *[Hit(2, "ps")] * 3]
    assert judging.judge_jobs(jobs, [1, 2, 3, 4], [2], {1: ""}, hits) == []
    assert judging.judge_jobs(jobs, [1, 2, 3, 4, 5], [2], {1: ""}, hits) == ["job 5 is lost"]


def test_corrections_are_there_exactly_once() -> None:
    assert judging.judge_corrections(["a", "b", "b"], ["a", "b", "c"]) == []
    assert judging.judge_corrections(["a", "b"], ["a", "a"]) == [
        "correction b was acknowledged and is lost",
        "correction a is there 2 times",
    ]


def test_what_grows_is_found_and_what_swings_is_not() -> None:
    def samples(kind: str, mb: Callable[[int], float], files: Callable[[int], int]) -> list[Sample]:
        return [Sample(10.0 * n, kind, mb(n), files(n)) for n in range(60)]

    flat = samples("apache", lambda n: 100 + 5 * math.sin(n), lambda n: 30 + n % 3)
    assert judging.judge_growth(judging.growth(flat)) == []
    leaking = samples("queue", lambda n: 100 + n, lambda n: 30 + n)
    grown = judging.growth(flat + leaking)
    assert grown["queue"]["pss_mb_a_minute"] == pytest.approx(6.0)
    assert judging.judge_growth(grown) == [
        "queue grew from 110 to 150 MB",
        "queue grew from 40 to 80 open files",
    ]


def test_times_without_an_answer_are_counted() -> None:
    answers = [Answer(n, n + 0.1, 200 if n not in (3, 4, 9) else 503) for n in range(11)]
    lengths, failed = zip(*judging.outages(answers), strict=True)
    assert lengths == pytest.approx((2.1, 1.1))
    assert failed == (2, 1)
    assert judging.silences(answers) == pytest.approx(3.0)
