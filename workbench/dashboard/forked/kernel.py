"""A forked process on its way to be a kernel: all that it must not have from the process before the fork."""

import os
import random
import resource
import runpy
import select
import sys
import tempfile
import threading
import time
from dataclasses import dataclass

from workbench.dashboard.forked.messages import Launch

LAUNCHER = "ipykernel_launcher"
NO_PARENT = ("--IPKernelApp.parent_handle=1",)
"""Process 1 "will never go away": so ipykernel does not look each second whether its parent has changed, which the process
that it was forked from may."""

AT_THEIR_IMPORT = ("ipywidgets",)
"""Modules that look for a kernel when they are imported, and which a kernel can have look again, as extensions of IPython.
Without it a page has to ask for each of its widgets one after the other."""


@dataclass
class Place:
    """What a kernel is to be, in the process that it is to be in."""

    launch: Launch
    dashboard: int
    """The Jupyter server's process, as a descriptor."""
    code: int = 0

    def run(self) -> None:
        """Be the kernel that was asked for, until it ends."""
        self._move_in()
        threading.Thread(target=self._end_with_dashboard, name="dashboard", daemon=True).start()
        try:
            runpy.run_module(LAUNCHER, run_name="__main__", alter_sys=True)
        except SystemExit as ended:
            self.code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
            raise

    def end(self) -> None:
        """End the process, with nothing left to do."""
        for stream in (sys.__stdout__, sys.__stderr__):
            if stream:
                stream.flush()
        os._exit(self.code)

    def _move_in(self) -> None:
        os.environ.clear()
        os.environ.update(self.launch.environment)
        os.chdir(self.launch.folder)
        again = [f"--IPKernelApp.extra_extensions={name}" for name in AT_THEIR_IMPORT if name in sys.modules]
        sys.argv = [LAUNCHER, *self.launch.arguments, *NO_PARENT, *again]
        if self.launch.memory_bytes:
            # The soft one: what a kernel starts that is no part of it, as a job's runner, takes it back.
            _, hard = resource.getrlimit(resource.RLIMIT_DATA)
            resource.setrlimit(resource.RLIMIT_DATA, (_lower(self.launch.memory_bytes, hard), hard))
        time.tzset()
        tempfile.tempdir = None  # it was found by another environment
        random.seed()
        if numpy := sys.modules.get("numpy.random"):
            numpy.seed()  # else all kernels draw the same numbers

    def _end_with_dashboard(self) -> None:
        """End at once when the Jupyter server has ended, which leaves nobody to talk to."""
        poll = select.poll()
        poll.register(self.dashboard, select.POLLIN)
        poll.poll()
        os._exit(1)


def _lower(asked: int, hard: int) -> int:
    return asked if hard == resource.RLIM_INFINITY else min(asked, hard)
