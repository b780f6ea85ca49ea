"""Notice that a kernel died: by its process' end, which the kernel of the system tells, and not by asking again and again.

Jupyter asks each kernel's process every three seconds; for eight kernels that wait for a visitor that was most of what an
idle dashboard computed. ``restarter_class`` is jupyter_client's own place for another way.
"""

import asyncio
import contextlib
import os
import time
from typing import Any

from jupyter_client.ioloop.restarter import AsyncIOLoopKernelRestarter


class WatchingRestarter(AsyncIOLoopKernelRestarter):
    """Asks as ever until the kernel has run for a while, then waits for the end of its process.

    After the end it asks again, so all that follows is Jupyter's. Where there is no ``pidfd`` it goes on asking.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._watched: tuple[asyncio.AbstractEventLoop, int] | None = None
        """The loop that waits, and the descriptor of the process that it waits for."""
        self._steady_at = 0.0
        self._started = False

    def start(self) -> None:
        """Begin to ask, for a new process."""
        self._forget()
        # The first ask after that has told Jupyter's own record that the start went well.
        self._steady_at = time.monotonic() + self.stable_start_time + 2 * self.time_to_dead
        self._started = True
        super().start()

    def stop(self) -> None:
        """Neither ask nor wait any longer."""
        self._started = False
        self._forget()
        super().stop()

    async def poll(self) -> None:  # type: ignore[override]  # as in its superclass
        """Ask once; wait from now on if all has been well for long enough."""
        await super().poll()
        steady = time.monotonic() > self._steady_at and await self.kernel_manager.is_alive()
        if steady and self._started and self._watched is None:
            self._wait_for_the_end()

    def _wait_for_the_end(self) -> None:
        pid = getattr(self.kernel_manager.provisioner, "pid", None)
        if pid is None or not hasattr(os, "pidfd_open"):
            return
        # Where it is gone already the next ask finds that.
        with contextlib.suppress(OSError):
            process, loop = os.pidfd_open(pid), asyncio.get_running_loop()
            self._watched = loop, process
            loop.add_reader(process, self._ended)
            super().stop()

    def _ended(self) -> None:
        self._forget()
        super().start()

    def _forget(self) -> None:
        if self._watched is not None:
            loop, process = self._watched
            self._watched = None
            if not loop.is_closed():
                loop.remove_reader(process)
            os.close(process)
