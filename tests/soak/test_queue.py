"""The job queue outlives the times in which its store is away, also when it begins in one."""

import threading
from pathlib import Path

import pytest

from tests.chain import make_settings, wait_until
from workbench.services import job_queue


def test_a_queue_that_begins_without_its_store_waits_for_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "jobs.db"
    file.mkdir()  # so nothing can be opened there
    settings = make_settings(tmp_path / "home", WORKBENCH_DATABASE_URL=f"sqlite:///{file}")
    ended = threading.Event()
    watching = threading.Thread(target=job_queue.watch, args=(settings, ended))
    watching.start()
    try:
        wait_until(lambda: "cannot be written" in capsys.readouterr().err, 10, "what it says")
        assert watching.is_alive()
        file.rmdir()
        wait_until(file.is_file, 10, "the store that it opens")
    finally:
        ended.set()
        watching.join(60)
    assert not watching.is_alive()
