"""The server's end: quick, and without a process left, whatever is being prepared."""

import time
from collections.abc import Callable
from pathlib import Path

from tests.chain import make_settings, wait_until
from tests.dashboard.serving import serving, write_notebook


def test_the_server_ends_at_once_while_a_kernel_is_being_prepared(
    tmp_path: Path, free_ports: Callable[[int], list[int]]
) -> None:
    notebooks = tmp_path / "notebooks"
    notebooks.mkdir()
    write_notebook(notebooks / "slow.ipynb", "Slow", "import time; time.sleep(100)", "print('done')")
    settings = make_settings(tmp_path / "home", WORKBENCH_DASHBOARD_PORT=str(free_ports(1)[0]))
    pool = {"PageKernels__pool_sizes": {"slow.ipynb": 1}, "PageKernels__fill_after_s": 0.0}
    with serving(settings, notebooks, **pool) as running:
        wait_until(running.kernels, 60, "the kernel that is being prepared")
        children = running.process.children(recursive=True)
        began = time.monotonic()
    assert time.monotonic() - began < 20
    assert children
    assert not [child.pid for child in children if child.is_running()]
