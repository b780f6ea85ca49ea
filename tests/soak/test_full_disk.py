"""What runs goes on running when the disk is full, and what then dies comes back when it is not."""

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from tests.chain import answers, end_chain, start_chain, wait_until
from tests.soak import disk
from workbench.services.child import GIVE_UP_AFTER


def test_a_back_end_that_dies_on_a_full_disk_comes_back_when_there_is_room(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    if reason := disk.missing():
        pytest.skip(reason)
    home = tmp_path / "home"
    with ExitStack() as stack:
        try:
            small = stack.enter_context(disk.mounted(home))
        except OSError as error:
            pytest.skip(f"this system mounts nothing: {error}")
        chain = start_chain(home, free_ports(3), only=["backend"])
        stack.callback(end_chain, chain)
        alive = f"{chain.backend}/healthz"
        wait_until(lambda: answers(alive), 60, "the back end", chain)
        victim = psutil.Process(chain.status()["back end"]["pid"])

        small.fill()
        victim.kill()
        victim.wait()

        wait_until(
            lambda: answers(alive) or chain.log.read_text().count("is full") > GIVE_UP_AFTER,
            60,
            "the back end, or more deaths than it may die else",
            chain,
        )
        small.empty()
        wait_until(lambda: answers(alive), 60, "the back end", chain)
        wait_until(lambda: chain.status()["back end"]["state"] == "ready", 10, "what status says", chain)
        end_chain(chain)
        assert chain.process.returncode == 0
