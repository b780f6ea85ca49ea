"""The kernel provisioner of the dashboard: jupyter_client's own place for kernels that begin in another way.

The server's configuration names it (``KernelProvisionerFactory.default_provisioner_name``), and an entry point of our
package says where it is. Everything but the beginning of a process is as in the provisioner that Jupyter has itself:
https://jupyter-client.readthedocs.io/en/stable/provisioning.html
"""

from pathlib import Path
from typing import Any

from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.provisioning.local_provisioner import LocalProvisioner

from workbench.dashboard.forked.client import ForkServer, folder_of

NAME = "workbench-forked"
GROUP = "jupyter_client.kernel_provisioners"
_OURS = {"env", "cwd", "kernel_id", "extra_arguments", "independent"}
"""What a launch may ask for; with anything else, as a pipe for what it prints, its process is started as ever."""


class ForkedKernel(LocalProvisioner):
    """A kernel forked from the fork server of its manager, ``fork_server``; started as ever where there is none."""

    async def launch_kernel(self, cmd: list[str], **kwargs: Any) -> KernelConnectionInfo:
        """Begin the process."""
        server: ForkServer | None = getattr(getattr(self.parent, "parent", None), "fork_server", None)
        if server is None or set(kwargs) - _OURS or kwargs.get("independent") or "env" not in kwargs:
            return await super().launch_kernel(cmd, **kwargs)
        process = await server.launch(cmd, kwargs["env"], folder_of(kwargs.get("cwd")))
        if process is None:
            return await super().launch_kernel(cmd, **kwargs)
        self.process = process  # type: ignore[assignment]
        self.pid = self.pgid = process.pid
        self.cwd = kwargs.get("cwd", Path.cwd())
        return self.connection_info
