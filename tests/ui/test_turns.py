"""Turns between processes: in order, so many at a time, and none for the dead."""

import subprocess
import sys
import threading
from pathlib import Path

from tests.chain import wait_until
from workbench.ui.tutorial.turns import Turn

HOLD = """
import sys, pathlib
from workbench.ui.tutorial.turns import Turn
turn = Turn(pathlib.Path(sys.argv[1]), 1)
print("there", flush=True)
sys.stdin.read()
"""


def test_turns_come_in_order_and_so_many_at_a_time(tmp_path: Path) -> None:
    turns = [Turn(tmp_path, 2) for _ in range(5)]
    assert [turn.has_come for turn in turns] == [True, True, False, False, False]
    assert [turn.ahead for turn in turns] == [0, 1, 2, 3, 4]
    turns[0].close()
    turns[0].close()
    turns[3].close()
    assert [turn.has_come for turn in (turns[1], turns[2], turns[4])] == [True, True, False]
    assert turns[2].others_wait
    assert not turns[4].others_wait


def test_who_gives_way_comes_after_all_that_wait(tmp_path: Path) -> None:
    first, second = Turn(tmp_path, 1), Turn(tmp_path, 1)
    first.give_way()
    assert (first.has_come, second.has_come) == (False, True)
    second.close()
    assert (first.has_come, second.ahead) == (True, 0)


def test_a_process_that_is_killed_lets_go_of_its_turn(tmp_path: Path) -> None:
    command = [sys.executable, "-c", HOLD, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout
        other.stdout.readline()
        mine = Turn(tmp_path, 1)
        assert (mine.has_come, mine.ahead) == (False, 1)
        other.kill()
        other.wait()
        assert (mine.has_come, mine.ahead) == (True, 0)


def test_waiting_ends_with_the_turn_or_with_the_wish_to_stop(tmp_path: Path) -> None:
    first = Turn(tmp_path, 1)
    told: list[int] = []
    with Turn(tmp_path, 1) as stopped:
        assert not stopped.wait(0.01, lambda: len(told) > 2, told.append)
    assert set(told) == {1}
    done = threading.Event()

    def work() -> None:
        with Turn(tmp_path, 1) as turn:
            assert turn.wait(0.01, lambda: False, told.append)
            done.set()

    thread = threading.Thread(target=work)
    thread.start()
    told.clear()
    wait_until(lambda: told, 60, "somebody who waits")
    assert not done.is_set()
    first.close()
    thread.join(60)
    assert done.is_set()
