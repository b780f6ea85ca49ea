"""Kernels as forks: what they are beside kernels that Jupyter starts, and what becomes of them when something dies."""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psutil
import pytest
from jupyter_client.asynchronous.client import AsyncKernelClient
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.multikernelmanager import AsyncMultiKernelManager
from jupyter_client.provisioning.factory import KernelProvisionerFactory

from tests.apart import run_apart
from workbench.dashboard.forked import client
from workbench.dashboard.forked.client import ForkServer
from workbench.services import dashboard
from workbench.system import processes

LOG = logging.getLogger(__name__)
PATIENCE_S = 120.0

pytestmark = pytest.mark.skipif(not client.supported(), reason="kernels are forked on Linux alone")


class Kernels(AsyncMultiKernelManager):
    """Jupyter's kernels with a fork server, as the dashboard has them."""

    fork_server: ForkServer
    clients: list[AsyncKernelClient]


@pytest.fixture(autouse=True)
def forked_by_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The dashboard's configuration of kernels."""
    monkeypatch.setenv("JUPYTER_RUNTIME_DIR", str(tmp_path / "runtime"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setattr(
        KernelProvisionerFactory.instance(), "default_provisioner_name", dashboard.PROVISIONER
    )


@contextlib.asynccontextmanager
async def opened(*modules: str, memory_bytes: int = 0) -> AsyncIterator[Kernels]:
    kernels = Kernels()
    kernels.clients = []
    kernels.fork_server = ForkServer(modules or (*dashboard.FOR_KERNELS, "numpy.random"), LOG, memory_bytes)
    kernels.fork_server.open()
    assert await asyncio.wait_for(kernels.fork_server.ready(), PATIENCE_S)
    try:
        yield kernels
    finally:
        for asking in kernels.clients:
            asking.stop_channels()
        await kernels.shutdown_all()
        kernels.context.destroy()
        await kernels.fork_server.close()


async def start(kernels: Kernels, **how: Any) -> tuple[AsyncKernelManager, AsyncKernelClient]:
    kernel = kernels.get_kernel(await kernels.start_kernel(**how))
    assert isinstance(kernel, AsyncKernelManager)
    asking = kernel.client()
    assert isinstance(asking, AsyncKernelClient)
    kernels.clients.append(asking)
    asking.start_channels()
    await asking.wait_for_ready(timeout=PATIENCE_S)
    return kernel, asking


async def ask(asking: AsyncKernelClient, *expressions: str) -> list[str]:
    """What the kernel makes of the expressions."""
    numbered = {str(i): text for i, text in enumerate(expressions)}
    answer = await asking.execute_interactive(
        "import os, sys, tempfile", user_expressions=numbered, timeout=PATIENCE_S
    )
    told = answer["content"]["user_expressions"]
    return [told[name]["data"]["text/plain"].strip("'") for name in numbered]


async def until(condition: Callable[[], object]) -> None:
    """Wait until it holds."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.02)


def pid_of(kernel: AsyncKernelManager) -> int:
    assert kernel.provisioner
    return int(kernel.provisioner.pid)  # type: ignore[attr-defined]


def gone(pid: int) -> bool:
    """Whether there is no such process; one that is dead and waits to be asked about counts as there."""
    return not psutil.pid_exists(pid)


def test_our_package_names_the_provisioner() -> None:
    assert "KernelProvisionerFactory.default_provisioner_name" in dashboard.forking()


def test_a_forked_kernel_is_as_one_that_was_started(tmp_path: Path) -> None:
    async def look() -> None:
        asked = (
            *("os.getcwd()", "os.environ['MINE']", "'PATH' in os.environ", "os.getsid(0) == os.getpid()"),
            *("tempfile.gettempdir()", "sys.argv[2]", "__name__", "sys.path[0]", "os.getpriority(0, 0)"),
            *("os.read(0, 1)", "sys.argv[:2]"),
            # By these a page asks for all of its widgets at once.
            "__import__('ipywidgets') and sorted(get_ipython().kernel.comm_manager.targets)",
        )
        environment = {**os.environ, "MINE": "é\n", "TMPDIR": str(tmp_path)}
        how: dict[str, object] = {"cwd": str(tmp_path), "env": environment}
        async with opened(*dashboard.FOR_KERNELS, "numpy.random", "ipywidgets") as kernels:
            kernel, asking = await start(kernels, **how)
            forked = await ask(asking, *asked, "os.getppid()", "__import__('numpy').random.rand()")
            assert int(forked[-2]) == kernels.fork_server.pid
            assert forked[4] == str(tmp_path)
            assert "jupyter.widget.control" in forked[len(asked) - 1]
            _, other = await start(kernels, **how)
            assert (await ask(other, "__import__('numpy').random.rand()"))[0] != forked[-1]
            # A variable that libraries read when they are loaded: this one cannot be a fork.
            alone, asking = await start(
                kernels, cwd=str(tmp_path), env={**environment, "OMP_NUM_THREADS": "1"}
            )
            assert (await ask(asking, "os.getppid()"))[0] == str(os.getpid())
            started = await ask(asking, *asked)
            assert started[5] != forked[5]  # its own connection file
            assert [*forked[:5], *forked[6 : len(asked)]] == [*started[:5], *started[6:]]
            assert kernel.provisioner
            assert kernel.provisioner.resolve_path("here") is None
            pids = [pid_of(kernel), pid_of(alone)]
        assert all(gone(pid) for pid in pids)

    run_apart(look())


def test_a_forked_kernel_is_interrupted_started_again_and_killed(tmp_path: Path) -> None:
    async def look() -> None:
        async with opened() as kernels:
            kernel, asking = await start(kernels)
            asking.execute("import time\nprint('go')\ntime.sleep(600)")
            while (await asking.get_iopub_msg(timeout=PATIENCE_S))["msg_type"] != "stream":
                pass
            await kernel.interrupt_kernel()
            answer = await asking.get_shell_msg(timeout=PATIENCE_S)
            while answer["msg_type"] != "execute_reply":
                answer = await asking.get_shell_msg(timeout=PATIENCE_S)
            assert answer["content"]["ename"] == "KeyboardInterrupt"

            first = pid_of(kernel)
            await kernel.restart_kernel()
            assert pid_of(kernel) != first
            assert gone(first)
            await asking.wait_for_ready(timeout=PATIENCE_S)
            assert (await ask(asking, "os.getppid()"))[0] == str(kernels.fork_server.pid)

            process = kernel.provisioner.process  # type: ignore[union-attr]
            os.kill(process.pid, signal.SIGKILL)
            await until(lambda: process.poll() is not None)
            assert not await kernel.is_alive()
            assert process.wait() == -signal.SIGKILL
            await until(lambda: gone(process.pid))

    run_apart(look())


def test_kernels_outlive_the_process_that_forked_them_and_later_ones_come_from_another() -> None:
    async def look() -> None:
        async with opened() as kernels:
            kernel, asking = await start(kernels)
            first = kernels.fork_server.pid
            assert first
            os.kill(first, signal.SIGKILL)
            await until(lambda: kernels.fork_server.pid != first)
            assert (await ask(asking, "1 + 1")) == ["2"]
            _, meanwhile = await start(kernels)
            parent = (await ask(meanwhile, "os.getppid()"))[0]
            await until(lambda: kernels.fork_server.pid)
            assert parent in (str(os.getpid()), str(kernels.fork_server.pid)), (
                "Jupyter's own, while none forks"
            )
            _, later = await start(kernels)
            assert (await ask(later, "os.getppid()"))[0] == str(kernels.fork_server.pid) != str(first)
            pid = pid_of(kernel)
            await kernel.shutdown_kernel()
            # Nobody of ours is asked how it ended, so it may wait for whoever adopted it.
            await until(lambda: not processes.lives(pid))

    run_apart(look())


def test_a_package_that_was_installed_is_found_by_the_next_kernel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = tmp_path / "site-packages"
    packages.mkdir()
    monkeypatch.setenv("PYTHONPATH", str(packages))

    async def look() -> None:
        async with opened() as kernels:
            kernel, asking = await start(kernels)
            first = kernels.fork_server.pid
            (packages / "just_installed.py").write_text("HERE = 1\n")
            _, other = await start(kernels)
            assert (await ask(other, "__import__('just_installed').HERE", "os.getppid()")) == [
                "1",
                str(os.getpid()),
            ]
            await until(lambda: kernels.fork_server.pid not in (None, first))
            assert (await ask(asking, "os.getppid()"))[0] == str(first)  # stays, for its kernel's end
            await kernel.shutdown_kernel()
            await until(lambda: gone(first or 0))
            _, newest = await start(kernels)
            assert (await ask(newest, "os.getppid()"))[0] == str(kernels.fork_server.pid)

    run_apart(look())


def test_a_launch_that_is_given_up_leaves_no_kernel() -> None:
    async def look() -> None:
        async with opened() as kernels:
            command = [sys.executable, "-m", "ipykernel_launcher"]
            launch = asyncio.ensure_future(kernels.fork_server.launch(command, dict(os.environ), "/"))
            await asyncio.sleep(0)
            launch.cancel()
            with pytest.raises(asyncio.CancelledError):
                await launch
            server = psutil.Process(kernels.fork_server.pid)
            await until(lambda: not kernels.fork_server._asking)
            await until(lambda: not server.children())

    run_apart(look())


@pytest.mark.parametrize(
    ("command", "folder"),
    [(["Rscript", "-m", "ipykernel_launcher"], "/"), (None, "/nowhere")],
    ids=["another program", "no such folder"],
)
def test_what_cannot_be_forked_is_left_to_jupyter(command: list[str] | None, folder: str) -> None:
    async def look() -> None:
        async with opened("json") as kernels:
            asked = command or [sys.executable, "-m", "ipykernel_launcher"]
            assert await kernels.fork_server.launch(asked, dict(os.environ), folder) is None

    run_apart(look())


def test_a_module_that_cannot_be_imported_leaves_kernels_to_jupyter() -> None:
    async def look() -> None:
        server = ForkServer(["no_such_module"], LOG)
        server.open()
        assert not await asyncio.wait_for(server.ready(), PATIENCE_S)
        command = [sys.executable, "-m", "ipykernel_launcher"]
        assert await server.launch(command, dict(os.environ), "/") is None
        await server.close()

    run_apart(look())


DETACHED = """[
    __import__("workbench.system.detached").system.detached.start(
        [sys.executable, "-c", "import resource as r; print(*r.getrlimit(r.RLIMIT_DATA))"],
        os.environ, __import__("pathlib").Path("said"), __import__("pathlib").Path(".")),
][0]"""


def test_a_kernel_has_its_own_limit_of_memory_and_what_it_leaves_behind_has_none(tmp_path: Path) -> None:
    async def look() -> None:
        async with opened(memory_bytes=700_000_000) as kernels:
            _, asking = await start(kernels, cwd=str(tmp_path), env=dict(os.environ))
            answer = await asking.execute_interactive("bytearray(10**9)", timeout=PATIENCE_S)
            assert answer["content"]["ename"] == "MemoryError"
            assert (await ask(asking, "len(bytearray(10**8))")) == ["100000000"]
            await ask(asking, DETACHED)
            await until(lambda: (tmp_path / "said").exists() and (tmp_path / "said").read_text().strip())
            soft, hard = (tmp_path / "said").read_text().split()
            assert soft == hard != "700000000"

    run_apart(look())
