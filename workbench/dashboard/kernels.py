"""The Jupyter server's kernels; for our pages some are ready, their cells run, before a visitor comes.

Voilà asks the server's kernel manager for them (:class:`workbench.upstream.voila.PreparedPages`). All other kernels,
JupyterLab's too, are as in any Jupyter server.
"""

import asyncio
import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import psutil
from jupyter_server.utils import ApiPath
from tornado.ioloop import IOLoop
from traitlets import Dict, Float, Int, List, Unicode, default

from workbench.dashboard.catalogue import PAGES
from workbench.dashboard.forked import client
from workbench.dashboard.pool import Pool, Stamp, Supply
from workbench.errors import Unavailable
from workbench.system import priority
from workbench.upstream import voila
from workbench.upstream.jupyter_server import KernelManager

SETTLE_S = 20.0
RESERVED_BYTES = 2 * 1024**3 + (os.cpu_count() or 1) * 256 * 1024**2
"""That count as a kernel's own and are never used, most of them the stacks of TensorFlow's threads."""
CAP_SYS_NICE = 23
"""From ``linux/capability.h``."""


@dataclass(frozen=True)
class Prepared:
    """A kernel that has run a page's cells, and the page."""

    kernel_id: str
    page: voila.Rendered
    """Done; what Voilà waits for."""
    pieces: list[str]


class PageKernels(KernelManager):
    """A kernel manager with a pool of prepared kernels a page."""

    prepared = Int(1, config=True, help="How many kernels are kept ready for each page.")
    pool_sizes = Dict(
        config=True,
        help="How many kernels are kept ready for a notebook, by its path, where not for each page.",
    )
    forked_modules = List(
        Unicode(),
        config=True,
        help="What the process imports that kernels are forked from; there is none without modules.",
    )
    kernel_memory_mb = Int(
        config=True,
        help="What a forked kernel may have of its own, besides what TensorFlow reserves; 0 for no limit.",
    )
    fill_after_s = Float(
        3.0, config=True, help="When the pool begins to fill, seconds after the server's start."
    )
    expect_s = Float(120.0, config=True, help="How long a page's kernel waits for its page to connect.")
    pool_check_s = Float(10.0, config=True, help="How often the pool looks for notebooks that changed.")

    pool_pause_s = Float(
        5.0,
        config=True,
        help="How long a visitor's page has the machine to itself before the next is prepared.",
    )

    @default("kernel_memory_mb")
    def _a_quarter(self) -> int:
        return psutil.virtual_memory().total // 4_000_000

    @default("pool_sizes")
    def _each_page(self) -> dict[str, int]:
        # Those first that need not wait until TensorFlow is imported.
        light = {page.notebook: self.prepared for page in PAGES if page.light}
        heavy = {page.notebook: self.prepared for page in PAGES if not page.light}
        return light | heavy if self.fork_server else light

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._pool: Pool[Prepared] | None = None
        self._filling: asyncio.Task[None] | None = None
        self._restarted: set[str] = set()
        self._preparing: set[str] = set()
        self.fork_server: client.ForkServer | None = None
        if self.forked_modules and client.supported():
            self.fork_server = client.ForkServer(
                self.forked_modules,
                self.log,
                RESERVED_BYTES + self.kernel_memory_mb * 1_000_000 if self.kernel_memory_mb else 0,
            )

    def open_pool(self, site: voila.VoilaSite) -> None:
        """Begin to keep kernels ready; called once the server's loop runs."""
        if self.fork_server:
            self.fork_server.open()
        self._site, self._renderer = site, voila.Renderer(site)
        supply = Supply(self._prepare, lambda one: self.end(one.kernel_id), self._stamp, self._usable)
        times = {"check_s": self.pool_check_s, "pause_s": self.pool_pause_s}
        self._pool = Pool(self.pool_sizes, supply, **times, log=self.log)
        self._filling = asyncio.ensure_future(self._fill(self._pool))

    @property
    def ready(self) -> dict[str, int]:
        """How many kernels are ready, by page."""
        return {page: self.get_pool_size(page) for page in self.pool_sizes}

    # Voilà asks

    @property
    def notebook_data(self) -> dict[str, dict[str, str]]:
        """The template and theme that prepared pages were rendered with; another one is rendered anew."""
        if not self._pool:
            return {}
        look = self._site.configuration
        return {page: {"template": look.template, "theme": look.theme} for page in self.pool_sizes}

    def get_pool_size(self, notebook: str) -> int:
        """How many kernels are ready for the page."""
        return self._pool.count(notebook) if self._pool else 0

    async def get_rendered_notebook(
        self, notebook_name: str, **_: Any
    ) -> tuple[voila.Rendered, list[str], str]:
        """Give a prepared page to a visitor: its task, its pieces, its kernel."""
        assert self._pool
        prepared = self._pool.take(notebook_name)
        self.touch(prepared.kernel_id)
        _be_nice(self.get_kernel(prepared.kernel_id), 0)
        return prepared.page, prepared.pieces, prepared.kernel_id

    # A visit needs

    async def await_imports(self, page: str) -> None:
        """Wait as :meth:`imported_for`, with a visitor who waits too."""
        if self.fork_server and not self.get_pool_size(page):
            self.fork_server.hurry()
        await self.imported_for(page)

    async def imported_for(self, page: str) -> bool:
        """Wait until a kernel for the page need not import TensorFlow; ``False`` if there is no use in waiting."""
        if self.fork_server is None or not any(page == one.notebook and not one.light for one in PAGES):
            return True
        return await self.fork_server.ready()

    def expect(self, kernel_id: str) -> None:
        """End the kernel unless somebody is connected to it soon: a page that was fetched but never shown."""
        IOLoop.current().call_later(self.expect_s, self._end_unseen, kernel_id)

    async def end(self, kernel_id: str) -> None:
        """End the kernel; one that has ended is fine."""
        await self._settle(kernel_id)
        if kernel_id in self:
            await self.shutdown_kernel(kernel_id)
        self._restarted.discard(kernel_id)

    async def _settle(self, kernel_id: str) -> None:
        """Wait until a kernel that is just starting, or starting again after its death, can be ended."""
        give_up = asyncio.get_running_loop().time() + SETTLE_S
        while kernel_id in self and asyncio.get_running_loop().time() < give_up:
            if self.get_kernel(kernel_id).ready.done():
                return
            await asyncio.sleep(0.1)

    async def _end_unseen(self, kernel_id: str) -> None:
        if kernel_id in self and not self.connections(kernel_id):
            self.log.info("nobody came for kernel %s", kernel_id)
            await self.end(kernel_id)

    # The server asks

    async def cull_kernel_if_idle(self, kernel_id: str) -> None:
        """End the kernel if it idles and nobody is connected, unless it is prepared or waits for its visitor."""
        if kernel_id not in self._waiting():
            await super().cull_kernel_if_idle(kernel_id)

    async def shutdown_all(self, now: bool = False) -> None:  # type: ignore[override]
        """End all kernels, and prepare no more."""
        while self._filling and not self._filling.done():
            # Again and again: nbclient takes being cancelled for the kernel's death, and the pool goes on.
            self._filling.cancel()
            await asyncio.wait([self._filling], timeout=1)
        await asyncio.gather(*(self._settle(kernel_id) for kernel_id in self.list_kernel_ids()))
        await super().shutdown_all(now=now)
        if self.fork_server:
            await self.fork_server.close()

    # The pool's supply

    async def _fill(self, pool: Pool[Prepared]) -> None:
        await asyncio.sleep(self.fill_after_s)
        await pool.keep_filled()

    async def _prepare(self, page: str) -> Prepared:
        if not await self.imported_for(page):
            raise Unavailable("its kernel would import TensorFlow anew, which takes too much of the memory")
        renderer = await self._renderer.open(page)
        # A start or an end that is broken off leaves a kernel that nobody can end: neither is ever cancelled.
        starting = asyncio.ensure_future(self._start(renderer, page))
        kernel_id = ""
        try:
            kernel_id = await asyncio.shield(starting)
            kernel = self.get_kernel(kernel_id)
            _be_nice(kernel, priority.BACKGROUND)
            self.add_restart_callback(kernel_id, lambda: self._restarted.add(kernel_id), "restart")
            page_of = asyncio.ensure_future(voila.run(renderer, kernel_id, kernel))
            pieces, _ = await page_of
        except BaseException:
            await asyncio.shield(self._end_started(starting))
            raise
        finally:
            # The pool has what was made before this loop does anything else.
            self._preparing.discard(kernel_id)
        return Prepared(kernel_id, page_of, pieces)

    async def _start(self, renderer: Any, page: str) -> str:
        kernel_id = await self.start_kernel(
            kernel_name=renderer.notebook.metadata.kernelspec.name,
            path=ApiPath(str(PurePosixPath(page).parent)),
            env={**os.environ, **self._site.kernel_environment()},
        )
        self._preparing.add(kernel_id)
        return str(kernel_id)

    async def _end_started(self, starting: "asyncio.Task[str]") -> None:
        """End a kernel that may just be starting; one whose start failed is not there."""
        await asyncio.wait([starting])
        if not starting.cancelled() and starting.exception() is None:
            await self.end(starting.result())

    def _stamp(self, page: str) -> Stamp:
        try:
            stat = (Path(self.root_dir) / page).stat()
        except FileNotFoundError:
            return None
        return stat.st_mtime_ns, stat.st_size, stat.st_ino

    def _usable(self, prepared: Prepared) -> bool:
        """A kernel that died and was started again has forgotten its cells."""
        return prepared.kernel_id in self and prepared.kernel_id not in self._restarted

    def _waiting(self) -> set[str]:
        ready = {prepared.kernel_id for prepared in self._pool.things()} if self._pool else set()
        return ready | self._preparing


def _be_nice(kernel: Any, value: int) -> None:
    """Let the kernel come after all others, or no longer.

    Where the niceness of its threads could not be taken back, it is left: the page would stay slow.
    """
    priority.weigh_session(kernel.provisioner.pid, value)
    if _may_take_back():
        for thread in _threads(kernel.provisioner.pid):
            with contextlib.suppress(ProcessLookupError):
                os.setpriority(os.PRIO_PROCESS, thread, value)


@cache
def _may_take_back() -> bool:
    """Tell if this process may raise priorities: it has CAP_SYS_NICE, as root mostly does."""
    try:
        lines = Path("/proc/self/status").read_text().splitlines()
    except OSError:
        return False
    effective = next((line.split()[1] for line in lines if line.startswith("CapEff:")), "0")
    return bool(int(effective, 16) >> CAP_SYS_NICE & 1)


def _threads(pid: int) -> Iterator[int]:
    with contextlib.suppress(psutil.Error):
        for thread in psutil.Process(pid).threads():
            yield thread.id
