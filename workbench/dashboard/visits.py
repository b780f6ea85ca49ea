"""One visit of a page: whose kernel it is, and that the kernel ends when nobody is there to tell so."""

from typing import Any

from tornado import web
from tornado.ioloop import IOLoop

from workbench.dashboard.addresses import without_token
from workbench.dashboard.kernels import PageKernels
from workbench.upstream import voila


class Visit:
    """The kernels as Voilà sees them during one visit; remembers which of them the visit got."""

    def __init__(self, kernels: PageKernels) -> None:
        self._kernels = kernels
        self._kernel_id: str | None = None
        self._over = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._kernels, name)

    async def start_kernel(self, **how: Any) -> str:
        """Start a kernel for this visit, where none was prepared."""
        self._kernel_id = await self._kernels.start_kernel(**how)
        if self._over:
            await self._kernels.end(self._kernel_id)
            raise web.Finish
        return self._kernel_id

    async def get_rendered_notebook(self, **which: Any) -> tuple[voila.Rendered, list[str], str]:
        """Take a prepared page."""
        page, pieces, kernel_id = await self._kernels.get_rendered_notebook(**which)
        self._kernel_id = kernel_id
        return page, pieces, kernel_id

    def delivered(self) -> None:
        """The page is with the visitor, who connects to the kernel soon or never."""
        if self._kernel_id:
            self._kernels.expect(self._kernel_id)

    def abandon(self) -> None:
        """The visitor left before knowing which kernel to end."""
        self._over = True
        if self._kernel_id:
            IOLoop.current().spawn_callback(self._kernels.end, self._kernel_id)


class PageHandler(voila.PageHandler):
    """A notebook as a page, with a prepared kernel where there is one."""

    @property
    def kernel_manager(self) -> Visit:
        if not hasattr(self, "_visit"):
            self._visit = Visit(super().kernel_manager)
        return self._visit

    @web.authenticated
    async def get(self, path: str | None = None) -> None:
        """The page, piece by piece."""
        if address := without_token(self.request):
            self.redirect(address)
            return
        # Reading it sets the cookie that the page sends back when it is left, so that its kernel ends with it;
        # without the cookie the server refuses that message and the kernel stays (voila issue 1458).
        assert self.xsrf_token
        await self.kernel_manager.await_imports(path or "")
        await super().get(path)
        self.kernel_manager.delivered()

    def on_connection_close(self) -> None:
        """The visitor closed the page or went elsewhere while it was still being made."""
        self.kernel_manager.abandon()
        super().on_connection_close()
