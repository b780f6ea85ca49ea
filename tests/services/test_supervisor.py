"""What the supervisor decides and tells; that it then does so is tried in ``test_chain.py`` and ``tests/soak``."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from workbench.services import Service, child, first_model, state, supervisor
from workbench.services.child import FULL_PAUSE_S, GIVE_UP_AFTER, GIVE_UP_WITHIN_S, DeathVerdict, judge
from workbench.services.logs import LIMIT_BYTES, ServiceLog
from workbench.services.state import Board, Row, State
from workbench.settings import Settings
from workbench.system import processes, scratch
from workbench.verbs.services import is_settled


def test_a_service_is_started_again_ever_later() -> None:
    pauses = []
    deaths: list[float] = []
    for now in range(0, 400, 100):
        pauses.append(judge(deaths, now, disk_full=False).retry_in_s)
        deaths.append(now)
    assert pauses == [0.25, 0.5, 1.0, 2.0]
    assert judge([float(now) for now in range(0, 2000, 100)], 2000, disk_full=False).retry_in_s == 4.0


def test_it_is_given_up_after_some_deaths_that_came_fast() -> None:
    fast = [float(second) for second in range(GIVE_UP_AFTER - 1)]
    assert judge(fast, GIVE_UP_AFTER, disk_full=False).retry_in_s is None
    assert judge(fast, GIVE_UP_WITHIN_S + 1, disk_full=False).retry_in_s is not None


def test_a_full_disk_is_no_fault_of_a_service() -> None:
    fast = [float(second) for second in range(GIVE_UP_AFTER)]
    assert judge(fast, GIVE_UP_AFTER, disk_full=True) == DeathVerdict(FULL_PAUSE_S, counts=False)


def test_a_service_that_is_slow_to_come_is_left_while_it_works(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fourteen models on a busy computer took longer than the limit, were killed, and began anew for ever."""
    settings.run.mkdir(parents=True)
    board = Board(settings, State(1, 2.0), lambda state, line: None)
    waits = (sys.executable, "-c", "import time; time.sleep(600)")
    service = Service("backend", waits, dict(os.environ), 0, "http://127.0.0.1:1/healthz", "http://here")
    slow = child.Child(service, "back end", settings, board)
    worked = [0.0]
    monkeypatch.setattr(child, "START_TIMEOUT_S", -1.0)
    monkeypatch.setattr(processes, "worked_s", lambda pid: worked[0])
    slow.launch()
    assert slow.process is not None
    try:
        for _ in range(3):
            worked[0] += 5
            slow.watch()
            assert slow.process.poll() is None
        slow.watch()
        assert slow.process.wait(60) == -signal.SIGKILL
    finally:
        slow.process.kill()
        slow.process.wait()


def test_what_killed_processes_left_in_a_home_goes_at_the_next_start(settings: Settings) -> None:
    parents = [settings.home, settings.home / "jobs", settings.data, settings.models / "m"]
    for parent in parents:
        (parent / scratch.NAME / "left").mkdir(parents=True)
    with scratch.folder(settings.data) as own:
        supervisor._clear_scratch(settings)
        assert own.is_dir()
    assert [parent for parent in parents if (parent / scratch.NAME).exists()] == []


def test_the_state_is_read_as_it_was_told(settings: Settings) -> None:
    settings.run.mkdir(parents=True)
    told: list[tuple[State, str]] = []
    board = Board(settings, State(1, 2.0), lambda state, line: told.append((state, line)))
    board.put(Row("back end", "starting"))
    board.put(Row("dashboard", "starting"))
    board.put(Row("back end", "ready", "http://here", 7))
    board.say("back end ready")
    rows = (Row("back end", "ready", "http://here", 7), Row("dashboard", "starting"))
    assert told == [(State(1, 2.0, rows), "back end ready")]
    assert state.parse(state.path(settings).read_text()) == told[0][0]


def test_a_warning_is_told_with_all_services_so_that_nobody_takes_some_for_all(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.run.mkdir(parents=True)
    settings.logs.mkdir(parents=True, exist_ok=True)
    told: list[tuple[State, str]] = []
    waits = (sys.executable, "-c", "import time; time.sleep(600)")
    services = [
        Service(name, waits, dict(os.environ), 0, "", f"http://{name}", warning="it is slow")
        for name in ("backend", "dashboard")
    ]
    watched = supervisor._Supervisor(
        settings, lambda state, line: told.append((state, line)), only=("backend", "dashboard")
    )
    monkeypatch.setattr(watched, "_prepare", lambda: (services, ["nothing can be trained"]))
    try:
        watched.start()
        assert [line for _, line in told if line.startswith("warning")] == [
            "warning: nothing can be trained",
            "warning: it is slow",
            "warning: it is slow",
        ]
        assert {tuple(row.name for row in state.rows) for state, _ in told} == {("back end", "dashboard")}
        assert not is_settled(told[0][0])
    finally:
        watched.stop()


def test_what_a_full_disk_kept_from_somebody_is_told_later(settings: Settings) -> None:
    settings.run.mkdir(parents=True)
    full, heard = [True], []

    def tell(state: State, line: str) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, "full")
        heard.append(line)

    board = Board(settings, State(1, 2.0), tell)
    board.say("ready")
    assert heard == []
    full[0] = False
    board.catch_up()
    board.catch_up()
    assert heard == [""]


@pytest.mark.parametrize(
    ("line", "state"),
    [
        (b'{"state": "training", "message": "m", "since": "s", "step": 3}', "training"),
        (b"Epoch 1", None),
        (b"5", None),
    ],
)
def test_a_line_of_a_library_is_no_news_of_the_first_model(line: bytes, state: str | None) -> None:
    told = first_model.parse(line)
    assert (told.state if told else None) == state
    assert told is None or first_model.parse(told.as_json().encode()) == told


def test_a_log_that_is_too_long_begins_anew(tmp_path: Path) -> None:
    log = ServiceLog(tmp_path / "logs" / "x.log")
    with log.open() as file:
        file.write(b"one\n")
    log.keep_short()
    assert log.last_words == "one"
    with log.open() as file:
        file.write(b"two\n" * (LIMIT_BYTES // 4))
    log.keep_short()
    assert log.last_words == "none"
    assert (tmp_path / "logs" / "x.log.1").stat().st_size == 4 + LIMIT_BYTES


def test_the_pause_between_two_looks_ends_with_a_childs_death_and_with_a_signal() -> None:
    ended: list[int] = []
    with supervisor._signals(ended) as wait:
        child_process = subprocess.Popen([sys.executable, "-c", ""])
        wait(300)
        assert child_process.wait(60) == 0
        os.kill(os.getpid(), signal.SIGTERM)
        wait(300)
        assert ended == [signal.SIGTERM]
