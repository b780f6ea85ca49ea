"""What the benchmarks count and compare is what they say."""

import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest

from benchmarks import environments
from benchmarks.peers import reading
from benchmarks.predict import canvas
from benchmarks.serving import serve
from workbench.errors import Unavailable
from workbench.pictures import ink

LEAVER = """
import subprocess, sys, time
child = [sys.executable, "-c", "import time; time.sleep(60)"]
middle = f"import subprocess; print(subprocess.Popen({child}, start_new_session=True, stdout=-3).pid)"
out = subprocess.run([sys.executable, "-c", middle], stdout=subprocess.PIPE, text=True).stdout
open(sys.argv[1] + ".aside", "w").write(out)
import os; os.rename(sys.argv[1] + ".aside", sys.argv[1])
time.sleep(60)
"""
"""Starts a process that is nobody's child, as servers of several parts do, and writes its id into a file."""


@pytest.mark.parametrize("digit", range(10))
def test_the_peers_read_a_drawing_as_our_back_end_does(digit: int) -> None:
    url = canvas(digit)
    ours = ink.fit(ink.decode(ink.from_data_url(url)))
    assert ours is not None
    theirs = reading.read(url)[0, :, :, 0]
    # Ours also brings strokes to the usual width, and rounding may set one a pixel beside the other.
    near = [np.roll(theirs, (down, right), (0, 1)) for down in (-1, 0, 1) for right in (-1, 0, 1)]
    assert max(np.corrcoef(ours.ravel(), picture.ravel())[0, 1] for picture in near) > 0.85


def test_what_a_peer_is_made_of_is_pinned_to_the_version() -> None:
    lines = [
        line for path in environments.REQUIREMENTS.glob("*.txt") for line in path.read_text().splitlines()
    ]
    assert lines
    assert [line for line in lines if "==" not in line] == []


def test_a_peers_environment_is_made_once_and_anew_when_its_requirements_change(tmp_path: Path) -> None:
    requirements, folder = tmp_path / "small.txt", tmp_path / "environments"
    requirements.write_text("# nothing\n")
    python = environments.make("small", requirements=tmp_path, environments=folder)
    assert python.is_file()
    kept = folder / "small" / "kept"
    kept.touch()
    environments.make("small", requirements=tmp_path, environments=folder)
    assert kept.exists()
    requirements.write_text("# something else\n")
    environments.make("small", requirements=tmp_path, environments=folder)
    assert not kept.exists()


def test_a_peer_that_cannot_be_installed_says_so_and_is_tried_again(tmp_path: Path) -> None:
    (tmp_path / "none.txt").write_text("./no-such-folder\n")
    for _ in range(2):
        with pytest.raises(Unavailable, match="none cannot be installed"):
            environments.make("none", requirements=tmp_path, environments=tmp_path / "environments")


def test_a_servers_processes_are_counted_and_ended_also_those_that_left_it(tmp_path: Path) -> None:
    told = tmp_path / "left"
    command = [sys.executable, "-c", LEAVER, str(told)]
    with serve(command, 0, {}, lambda _: told.exists(), tmp_path / "log") as server:
        left = psutil.Process(int(told.read_text()))
        assert left not in server.process.children(recursive=True)
        assert {server.process.pid, left.pid} <= {process.pid for process in server.family()}
    give_up = time.monotonic() + 60
    while left.is_running() and left.status() != psutil.STATUS_ZOMBIE and time.monotonic() < give_up:
        time.sleep(0.02)
    assert not left.is_running() or left.status() == psutil.STATUS_ZOMBIE
