"""The Jupyter server's kernels without two faults of its bookkeeping.

- ``ZMQChannelsWebsocketConnection.disconnect`` also takes away connections that ended before they were accepted, which
  ``connect`` never counted: the kernel of a visitor who leaves at that moment has −1 connections, is taken for one in
  use, and stays. Two options give the server classes of ours; that ``disconnect`` calls the manager's
  ``notify_disconnect``, and keeps a kernel's messages only when 0 are left, is documented nowhere.
- ``MappingKernelManager.kernel_model`` fails for a kernel that just begins to start, and every listing of kernels with it.

- ``/lab?token=…`` is answered with the token in the address, until a script of JupyterLab's takes it out. The routes of
  all extensions come in the order of their names, so a rule of ours is put before them all (:func:`redirect_tokens`).

Besides, when a kernel was last active is an attribute that the manager puts on it, ``last_activity``.

Versions: ``jupyter-server>=2.21,<2.22``. Goes when the server counts no connection below 0 and lists kernels that start;
``tests/upstream`` shows if it does.
"""

from datetime import UTC, datetime
from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import web
from tornado.httputil import HTTPServerRequest
from tornado.routing import Matcher, Rule
from traitlets import TraitError


def redirect_tokens(server: Any, path: str, handler: type[web.RequestHandler]) -> None:
    """Have ``handler`` answer every visit below ``path`` whose address has a token in it, before any other route."""
    server.web_app.default_router.rules.insert(0, Rule(_WithToken(path), handler))


class _WithToken(Matcher):
    def __init__(self, path: str) -> None:
        self._path = path

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        below = request.path == self._path or request.path.startswith(f"{self._path}/")
        return {} if below and request.method == "GET" and "token" in request.query_arguments else None


class KernelConnection(ZMQChannelsWebsocketConnection):
    """A browser's connection to a kernel; ends as often as it began, as far as the kernel's manager knows."""

    _counted = False

    def connect(self) -> Any:
        """Connect, and count."""
        self._counted = True
        return super().connect()

    def disconnect(self) -> None:  # type: ignore[override]  # as ZMQChannelsWebsocketConnection does
        """Disconnect, and take away what was counted."""
        if self._counted:
            self._counted = False
            super().disconnect()
            return
        # One for the one that is taken away, and one more so that the kernel's messages are not kept for nobody.
        manager, kernel_id = self.multi_kernel_manager, self.kernel_id
        manager.notify_connect(kernel_id)
        manager.notify_connect(kernel_id)
        try:
            super().disconnect()
        finally:
            manager.notify_disconnect(kernel_id)


class KernelManager(AsyncMappingKernelManager):
    """Jupyter's kernel manager, which can tell of kernels at any time."""

    def connections(self, kernel_id: str) -> int:
        """How many are connected to the kernel; 0 for one that has ended or just begins to start."""
        try:
            return int(super().kernel_model(kernel_id)["connections"]) if kernel_id in self else 0
        except TraitError:
            return 0

    def kernel_model(self, kernel_id: str) -> dict[str, Any]:
        """The kernel as JSON; one that just begins to start is not there yet."""
        try:
            return dict(super().kernel_model(kernel_id))
        except TraitError as error:
            raise web.HTTPError(404, f"kernel {kernel_id} is just starting") from error

    def start_buffering(self, kernel_id: str, session_key: str, channels: dict[str, Any]) -> None:
        """Keep a kernel's messages for a page that comes back; those of one that has ended are closed, not kept.

        A page's farewell ends its kernel before its websocket closes. Jupyter's own raises then, and the sockets look
        for the kernel's ports, several times a second, for ever.
        """
        if kernel_id in self:
            super().start_buffering(kernel_id, session_key, channels)
        else:
            _close(channels)

    def remove_kernel(self, kernel_id: str) -> Any:
        """Forget a kernel that has ended, with what began to be kept for its page while it ended.

        A page's websocket mostly closes between the farewell and the kernel's end.
        """
        removed = super().remove_kernel(kernel_id)
        if (kept := self._kernel_buffers.pop(kernel_id, None)) is not None:
            _close(kept["channels"])
        return removed

    def touch(self, kernel_id: str) -> None:
        """Have the kernel count as active now; else one that was prepared counts as idle since then."""
        self.get_kernel(kernel_id).last_activity = datetime.now(UTC)  # type: ignore[attr-defined]


def _close(channels: dict[str, Any]) -> None:
    for stream in channels.values():
        if not stream.socket.closed:
            stream.on_recv(None)
            stream.close()
