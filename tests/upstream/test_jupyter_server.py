"""The two faults of the Jupyter server's kernel manager, and that ours has neither."""

import inspect
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("jupyter_server")

from jupyter_server.serverapp import ServerApp
from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection
from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
from tornado import web
from traitlets import TraitError

from workbench.upstream.jupyter_server import KernelManager


def holding(kind: type[Any], kernel: Any) -> Any:
    """A manager of the one kernel ``a``."""
    manager = kind()
    manager._kernels["a"] = kernel
    manager._kernel_connections["a"] = 0
    return manager


@pytest.fixture
def kernel() -> Any:
    return SimpleNamespace(
        kernel_name="python3", last_activity=datetime(2026, 1, 1, tzinfo=UTC), execution_state="idle"
    )


class Starting:
    """A kernel of which nothing is known yet."""

    kernel_name = "python3"
    execution_state = "starting"

    @property
    def last_activity(self) -> datetime:
        raise TraitError("not yet")


def test_jupyter_counts_below_zero_and_cannot_list_what_starts(kernel: Any) -> None:
    """Once it does not, ``upstream/jupyter_server.py`` can go."""
    theirs = holding(AsyncMappingKernelManager, kernel)
    theirs.notify_disconnect("a")
    assert theirs.kernel_model("a")["connections"] == -1
    with pytest.raises(TraitError):
        holding(AsyncMappingKernelManager, Starting()).list_kernels()


def test_a_connection_is_counted_where_ours_expects_it() -> None:
    """That a kernel is left with no connection too few or too many is tried in ``tests/dashboard/test_kernels.py``."""
    begins = " ".join(inspect.getsource(ZMQChannelsWebsocketConnection.connect).split())
    assert '""" self.multi_kernel_manager.notify_connect(self.kernel_id)' in begins
    ends = inspect.getsource(ZMQChannelsWebsocketConnection.disconnect)
    assert ends.count("notify_disconnect(self.kernel_id)") == 1
    assert "_kernel_connections[self.kernel_id] == 0" in ends
    assert "kernel_websocket_connection_class" in ServerApp.class_trait_names(config=True)


def test_ours_lists_what_has_started() -> None:
    ours = holding(KernelManager, Starting())
    assert ours.list_kernels() == []
    assert ours.connections("a") == 0
    with pytest.raises(web.HTTPError, match="just starting"):
        ours.kernel_model("a")


def test_a_kernel_that_is_touched_counts_as_active_now(kernel: Any) -> None:
    ours = holding(KernelManager, kernel)
    ours.touch("a")
    assert abs((datetime.now(UTC) - kernel.last_activity).total_seconds()) < 60
    assert ours.kernel_model("a")["last_activity"] > "2026-01-02"
