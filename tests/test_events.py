"""What a machine reports arrives, whatever happens to the file in between."""

import json
import math
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from workbench.events import (
    MAX_KEPT,
    MAX_TEXT,
    Error,
    Event,
    Log,
    Metric,
    Phase,
    Progress,
    Writer,
    dump,
    parse,
    read,
)

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
numbers = st.none() | st.floats(allow_nan=False, allow_infinity=False)
counts = st.integers(0, 2**31 - 1)
machines = {
    "t": st.floats(0, 2e9),
    "role": st.sampled_from(["chief", "ps", "worker", "runner"]),
    "index": st.integers(0, 50),
}
events = st.one_of(
    st.builds(Phase, **machines, phase=st.sampled_from(["starting", "training", "done"])),
    st.builds(
        Metric,
        **machines,
        step=counts,
        of=counts,
        epoch=counts,
        loss=numbers,
        accuracy=numbers,
        val_loss=numbers,
        val_accuracy=numbers,
        images_per_s=numbers,
        eta_s=numbers,
    ).map(lambda metric: replace(metric, of=max(metric.step, metric.of))),
    st.builds(Log, **machines, line=texts),
    st.builds(
        Error,
        **machines,
        message=texts,
        field=st.none() | st.sampled_from(["helpers", "preprocessing", "training"]),
        line=st.none() | counts,
        traceback=texts,
    ),
)
in_one_folder = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)


class Clock:
    """Time that passes only when it is told to."""

    def __init__(self) -> None:
        self.t = 1_795_000_000.0

    def __call__(self) -> float:
        return self.t


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "events.jsonl"


def steps(path: Path) -> list[int]:
    """The steps of the metrics in the file."""
    return [event.step for event in read(path)[0] if isinstance(event, Metric)]


@given(event=events)
def test_an_event_comes_back_as_it_was_written(event: Event) -> None:
    assert parse(dump(event)) == event


@given(line=st.binary(max_size=200) | st.recursive(texts, st.lists).map(lambda x: json.dumps(x).encode()))
def test_a_foreign_line_is_no_event_and_no_error(line: bytes) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    "change",
    [
        {"t": None},
        {"t": math.inf},
        {"t": "now"},
        {"t": 1e300},
        {"role": "Robert'); drop table jobs"},
        {"index": -1},
        {"index": True},
        {"step": 1.5},
        {"step": 10**400},
        {"loss": "low"},
        {"kind": "rumour"},
        {"kind": ["metric"]},
    ],
)
def test_a_line_with_an_impossible_value_is_no_event(change: dict[str, object]) -> None:
    metric = json.loads(dump(Metric(1.0, "worker", 0, step=1, of=2, epoch=1)))
    assert parse(json.dumps(metric).encode()) is not None
    assert parse(json.dumps({**metric, **change}).encode()) is None


def test_deep_nesting_and_endless_digits_are_no_event() -> None:
    assert parse(b"[" * 100_000) is None
    assert parse(b'{"kind":"log","t":' + b"9" * 10_000 + b"}") is None


def test_a_loss_that_is_no_number_is_none(path: Path) -> None:
    with Writer(path, "worker", 0) as writer:
        writer.metric(Progress(step=1, of=1, epoch=1, loss=math.nan, accuracy=math.inf))
    [metric] = read(path)[0]
    assert isinstance(metric, Metric)
    assert (metric.loss, metric.accuracy) == (None, None)
    json.loads(path.read_text(), parse_constant=pytest.fail)


def test_half_a_surrogate_pair_does_not_come_through(path: Path) -> None:
    with Writer(path, "worker", 0) as writer:
        writer.error("bad \ud800 text", traceback="\udfff")
    [error] = read(path)[0]
    assert isinstance(error, Error)
    assert (error.message, error.traceback) == ("bad ? text", "?")


def test_a_huge_message_keeps_its_beginning_and_its_end(path: Path) -> None:
    with Writer(path, "worker", 0) as writer:
        writer.error("first " + "x" * 10_000_000 + " last")
    [error] = read(path)[0]
    assert isinstance(error, Error)
    assert len(error.message) <= MAX_TEXT
    assert error.message.startswith("first ")
    assert error.message.endswith(" last")
    assert parse(dump(error)) == error


@given(written=st.lists(events, max_size=8), data=st.data())
@in_one_folder
def test_reading_piece_by_piece_gives_each_whole_line_once(
    path: Path, written: list[Event], data: st.DataObject
) -> None:
    whole = b"".join(dump(event) for event in written)
    cuts = data.draw(st.lists(st.integers(0, len(whole)), max_size=5).map(sorted))
    found: list[Event] = []
    offset = 0
    for cut in [*cuts, len(whole)]:
        path.write_bytes(whole[:cut])
        new, offset = read(path, offset)
        found += new
        assert offset <= cut
    assert found == written


@given(before=events, after=events, garbage=st.binary(max_size=50).filter(lambda g: parse(g) is None))
@in_one_folder
def test_garbage_between_two_lines_costs_neither(
    path: Path, before: Event, after: Event, garbage: bytes
) -> None:
    path.write_bytes(dump(before) + garbage + b"\n" + dump(after))
    assert read(path) == ([before, after], path.stat().st_size)


def test_a_line_without_end_is_stepped_over(path: Path) -> None:
    event = Log(1.0, "worker", 0, "here")
    path.write_bytes(b"x" * 1000 + b"\n" + dump(event))
    found: list[Event] = []
    offset = -1
    next_offset = 0
    while next_offset != offset:
        offset = next_offset
        new, next_offset = read(path, offset, limit=100)
        found += new
    assert found == [event]


def test_no_file_means_no_events_yet(path: Path) -> None:
    assert read(path) == ([], 0)


def test_a_file_begun_anew_is_read_from_its_beginning(path: Path) -> None:
    path.write_bytes(dump(Log(1.0, "worker", 0, "a long line of the first life")))
    _, offset = read(path)
    again = Log(2.0, "worker", 0, "short")
    path.write_bytes(dump(again))
    assert read(path, offset)[0] == [again]


def test_nobody_has_done_more_steps_than_there_are() -> None:
    found = parse(dump(Metric(1.0, "worker", 0, step=2**31 - 1, of=1, epoch=1)))
    assert isinstance(found, Metric)
    assert (found.step, found.of) == (2**31 - 1, 2**31 - 1)


def test_metrics_come_at_most_once_a_second(path: Path, clock: Clock) -> None:
    with Writer(path, "chief", 0, clock=clock) as writer:
        for step in range(1, 41):
            writer.metric(Progress(step=step, of=100, epoch=1))
            clock.t += 0.125
        assert steps(path) == [1, 9, 17, 25, 33]


def test_the_last_metric_of_an_epoch_always_comes(path: Path, clock: Clock) -> None:
    with Writer(path, "chief", 0, clock=clock) as writer:
        for step in range(1, 10):
            writer.metric(Progress(step=step, of=100, epoch=1 + (step > 5)))
        assert steps(path) == [1, 5]
        writer.metric(Progress(step=10, of=100, epoch=2, val_loss=0.5))
        assert steps(path) == [1, 5, 10]
        writer.metric(Progress(step=11, of=100, epoch=3))
        writer.phase("exporting")
    assert steps(path) == [1, 5, 10, 11]
    assert isinstance(read(path)[0][-1], Phase)


def test_the_very_last_step_always_comes(path: Path, clock: Clock) -> None:
    with Writer(path, "chief", 0, clock=clock) as writer:
        for step in range(1, 6):
            writer.metric(Progress(step=step, of=5, epoch=1))
        assert steps(path) == [1, 5]


def test_time_never_stands_still_or_goes_back(path: Path, clock: Clock) -> None:
    with Writer(path, "chief", 0, clock=clock) as writer:
        writer.log("one")
        writer.log("two")
        clock.t -= 3600
        writer.log("three")
    times = [event.t for event in read(path)[0]]
    assert times == sorted(set(times))
    assert len(times) == 3


def test_a_machine_started_again_closes_the_line_that_was_cut(path: Path) -> None:
    whole = dump(Log(1.0, "worker", 0, "whole"))
    path.write_bytes(whole + whole[:20])
    with Writer(path, "worker", 0) as writer:
        writer.log("after the restart")
    assert [event.line for event in read(path)[0] if isinstance(event, Log)] == ["whole", "after the restart"]


def test_a_full_disk_never_raises_into_the_training(tmp_path: Path) -> None:
    full = tmp_path / "events.jsonl"
    full.symlink_to("/dev/full")
    with Writer(full, "worker", 0) as writer:
        writer.phase("training")
        writer.metric(Progress(step=1, of=1, epoch=1))
        writer.error("boom")


def test_a_folder_that_is_gone_never_raises_into_the_training(tmp_path: Path) -> None:
    with Writer(tmp_path / "gone" / "events.jsonl", "worker", 0) as writer:
        writer.phase("training")
        (tmp_path / "gone").mkdir()
        writer.log("it is back")
    assert [event.kind for event in read(tmp_path / "gone" / "events.jsonl")[0]] == ["phase", "log"]


FULL_THEN_FREE = """
import resource, signal, sys
from pathlib import Path
from workbench.events import Progress, Writer

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
writer = Writer(Path(sys.argv[1]), "chief", 0)
writer.phase("starting")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))
writer.phase("training")
for number in range(1000):
    writer.log(f"line {number}")
writer.error("no space")
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
writer.phase("done")
"""


def test_what_a_full_disk_refused_comes_once_there_is_space(path: Path) -> None:
    subprocess.run([sys.executable, "-c", FULL_THEN_FREE, path], check=True, env={"PATH": os.environ["PATH"]})
    found, _ = read(path)
    assert [event.kind for event in found if event.kind != "log"] == ["phase", "phase", "error", "phase"]
    lines = [event.line for event in found if isinstance(event, Log)]
    assert lines == [f"line {n}" for n in range(1000 - len(lines), 1000)], "the newest are kept"
    assert MAX_KEPT - 5 < len(lines) < MAX_KEPT, "memory is limited"
    assert path.read_bytes().count(b"\n") > len(found), "a line was cut where the space ended"


def test_an_unknown_phase_is_refused(path: Path) -> None:
    with Writer(path, "worker", 0) as writer, pytest.raises(ValueError, match="sleeping"):
        writer.phase("sleeping")


def test_phases_lines_and_ends_of_epochs_are_echoed(tmp_path: Path) -> None:
    said: list[str] = []
    with Writer(tmp_path / "events.jsonl", "worker", 0, echo=said.append) as writer:
        writer.phase("training")
        writer.log("a line")
        writer.metric(Progress(step=1, of=9, epoch=1, loss=2.0))
        writer.metric(Progress(step=3, of=9, epoch=1, loss=1.23456, val_accuracy=0.5))
    assert said == ["training", "a line", "epoch 1, step 3 of 9: loss 1.235, validation accuracy 0.5"]
