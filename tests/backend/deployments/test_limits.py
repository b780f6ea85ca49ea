"""What ends a computation: its flag, and where it is deaf to that, the end of its process."""

import threading
import time
from pathlib import Path

import numpy as np
import pytest

from backend.deployments.engines import InProcess, Unanswered
from backend.deployments.limits import DeafRuns, RunWatch
from tests.backend import making


class Run:
    terminate = False


def test_a_run_that_ends_when_it_is_told_to_ends_nothing_else(tmp_path: Path) -> None:
    ended, obeyed, deaf = threading.Event(), tmp_path / "obeyed", tmp_path / "deaf"
    watch, run, long = RunWatch(ended.set, deaf_s=60), Run(), Run()
    watch.begin(run, 0.01, DeafRuns(obeyed))
    while not run.terminate:
        time.sleep(0.01)
    watch.end(run)
    watch.begin(long, -60, DeafRuns(deaf))  # as if it had begun long ago
    assert ended.wait(60)
    assert deaf.exists()
    assert not obeyed.exists()


def test_a_run_that_is_deaf_ends_its_process_and_is_remembered(tmp_path: Path) -> None:
    ended, file = threading.Event(), tmp_path / "deaf" / "it-1"
    watch, deaf = RunWatch(ended.set, deaf_s=0.1), DeafRuns(file)
    for times in range(1, DeafRuns.OFTEN + 1):
        assert deaf.pause_s() == 0
        ended.clear()
        watch.begin(Run(), 0.01, deaf)
        assert ended.wait(60)
        assert len(file.read_text().splitlines()) == times
    assert 0 < deaf.pause_s() < DeafRuns.PAUSE_S + 1


def test_a_version_that_ended_processes_again_and_again_is_not_asked_for_a_while(tmp_path: Path) -> None:
    model = making.version(tmp_path / "it", 3) / "model.onnx"
    deaf = DeafRuns(tmp_path / "deaf")
    for _ in range(DeafRuns.OFTEN):
        deaf.note()
    x = np.zeros((1, 28, 28, 1), np.float32)
    with pytest.raises(Unanswered, match="again and again"):
        InProcess(model, deaf).predict(x)
    long_ago = time.time() - 2 * DeafRuns.WITHIN_S
    (tmp_path / "deaf").write_text(f"{long_ago}\n" * DeafRuns.OFTEN)
    assert InProcess(model, deaf).predict(x).argmax() == 3


def test_a_damaged_note_holds_nothing_up(tmp_path: Path) -> None:
    (tmp_path / "deaf").write_bytes(b"\xff\n1\n\x00\n")
    assert DeafRuns(tmp_path / "deaf").pause_s() == 0
