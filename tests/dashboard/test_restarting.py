"""Kernels are asked whether they live while they start, and watched from then on."""

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from jupyter_client.ioloop.manager import AsyncIOLoopKernelManager
from traitlets import Any as Anything

from tests.apart import run_apart
from workbench.dashboard.restarting import WatchingRestarter

ASK_S, STEADY_S = 0.02, 0.1

pytestmark = pytest.mark.skipif(
    not hasattr(os, "pidfd_open"), reason="the end of a process is told on Linux alone"
)


class Sleeper(AsyncIOLoopKernelManager):
    """A kernel that only sleeps, and counts how often it is asked whether it lives."""

    provisioner = Anything()
    asked = started = 0

    def __init__(self) -> None:
        super().__init__()
        self.watch = WatchingRestarter(
            kernel_manager=self, parent=self, log=self.log, time_to_dead=ASK_S, stable_start_time=STEADY_S
        )

    def begin(self) -> None:
        self.process = subprocess.Popen(["sleep", "600"])
        self.provisioner = SimpleNamespace(
            pid=self.process.pid, get_stable_start_time=lambda recommended: recommended
        )
        self.started += 1

    async def is_alive(self) -> bool:  # type: ignore[override]
        self.asked += 1
        return self.process.poll() is None

    async def restart_kernel(self, **_: Any) -> None:  # type: ignore[override]
        self.watch.stop()
        self.begin()
        self.watch.start()

    async def rests(self) -> bool:
        """Whether nobody asks for ten times as long as between two questions."""
        before = self.asked
        await asyncio.sleep(10 * ASK_S)
        return self.asked == before


@asynccontextmanager
async def watched() -> AsyncIterator[Sleeper]:
    kernel = Sleeper()
    kernel.begin()
    kernel.watch.start()
    try:
        yield kernel
    finally:
        kernel.watch.stop()
        kernel.process.kill()
        kernel.process.wait()


def watched_processes() -> int:
    """Descriptors of this process that are other processes."""
    found = 0
    for descriptor in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since, as that of the listing is
            found += "pidfd" in str(descriptor.readlink())
    return found


async def until_it_rests(kernel: Sleeper) -> None:
    async with asyncio.timeout(60):
        while not await kernel.rests():
            pass


def test_a_steady_kernel_is_not_asked_and_one_that_dies_is_started_again_each_time() -> None:
    async def look() -> None:
        async with watched() as kernel:
            for time in (1, 2):
                await until_it_rests(kernel)
                assert kernel.asked
                assert kernel.started == time
                kernel.process.kill()
                async with asyncio.timeout(60):
                    while kernel.started == time:
                        await asyncio.sleep(ASK_S)

    run_apart(look())


def test_one_that_is_stopped_neither_asks_nor_keeps_a_descriptor() -> None:
    async def look() -> None:
        async with watched() as kernel:
            before = watched_processes()
            await until_it_rests(kernel)
            assert watched_processes() == before + 1
            kernel.watch.stop()
            assert watched_processes() == before
            kernel.process.kill()
            kernel.process.wait()
            assert await kernel.rests()
            assert kernel.started == 1

    run_apart(look())
