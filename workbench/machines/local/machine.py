"""The child's side of a fork from a cluster's first process: it does a machine's work, or runs a command as one would."""

import contextlib
import faulthandler
import importlib
import os
import random
import signal
import subprocess
import sys
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NoReturn

from workbench.machines import Done, Place, machine_folder
from workbench.machines.local.messages import Work
from workbench.machines.local.processes import MARK
from workbench.machines.local.sandbox import MachineLimits, limit
from workbench.system import priority
from workbench.system.sandbox.linux import end_with_parent, write_environment

DEFAULT = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
MAX_OUTPUT = 1_000_000
"""Of a command: characters that are given of each output."""


@dataclass(frozen=True)
class Role:
    """What a process that was just forked is to be."""

    place: Place
    mark: str
    work: Work | None
    limits: MachineLimits
    environment: Mapping[str, str]
    """The whole of it, but for what depends on the place."""


def enter(role: Role) -> None:
    """Have an own process group with signals as they were, that ends when the cluster's first process does."""
    end_with_parent(signal.SIGKILL)
    signal.set_wakeup_fd(-1)
    for number in DEFAULT:  # whoever began the fork server may have had some ignored, as ``nohup`` does
        signal.signal(number, signal.SIG_DFL)
    os.setsid()
    write_environment(MARK, role.mark)


def be(role: Role, outputs: Sequence[int]) -> NoReturn:
    """Be the machine, and never come back into the loop that forked this process.

    Parameters
    ----------
    outputs
        Where it prints: two descriptors, or none.
    """
    code = 1
    try:
        enter(role)
        null = os.open(os.devnull, os.O_RDWR)
        for target, source in enumerate([null, *(outputs or [null, null])]):
            os.dup2(source, target)
        os.closerange(3, os.sysconf("SC_OPEN_MAX"))  # the loop's too, which so learns that the mark is there
        _set_environment(role)
        os.nice(priority.BACKGROUND)
        priority.weigh_session("self", priority.BACKGROUND)
        faulthandler.enable()
        faulthandler.register(signal.SIGUSR1)  # the runner asks a silent machine where it is
        random.seed()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        code = _stand_ready() if role.work is None else _do(role, role.work)
    except BaseException:
        traceback.print_exc()
    finally:
        with contextlib.suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(code)


def run(role: Role, command: Sequence[str], timeout_s: float) -> Done:
    """Run a command with what the machine can see and do; after :func:`enter`."""
    environment = _set_environment(role)
    if role.work is not None:
        os.chdir(machine_folder(role.work.folder, role.place))
    limit(role.limits)
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            env=environment,
            timeout=timeout_s,
            check=False,
        )
        code, out, err = done.returncode, done.stdout, done.stderr
    except subprocess.TimeoutExpired as error:
        code, out = -signal.SIGKILL, error.stdout or b""
        err = (error.stderr or b"") + f"\nended after {timeout_s:g} s".encode()
    except OSError as error:
        code, out, err = 127, b"", f"{command[0]}: {error.strerror}".encode()
    text = [data.decode(errors="replace")[-MAX_OUTPUT:] for data in (out, err)]
    return Done(int(code), text[0], text[1])


def _stand_ready() -> NoReturn:
    """Wait until there is work, which another process will do."""
    while True:
        signal.pause()


def _do(role: Role, work: Work) -> int:
    folder = machine_folder(work.folder, role.place)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tmp").mkdir(exist_ok=True)
    os.chdir(folder)
    sys.argv = [work.module, str(work.folder), role.place.role, str(role.place.index)]
    main = importlib.import_module(work.module).main
    limit(role.limits)
    try:
        return int(main(sys.argv[1:]) or 0)
    except SystemExit as ended:
        if isinstance(ended.code, str):
            print(ended.code, file=sys.stderr)
        return ended.code if isinstance(ended.code, int) else int(ended.code is not None)


def _set_environment(role: Role) -> dict[str, str]:
    environment = {**role.environment, MARK: role.mark}
    if role.work is not None:
        folder = machine_folder(role.work.folder, role.place)
        environment |= {"HOME": str(folder), "TMPDIR": str(folder / "tmp")}
    os.environ.clear()
    os.environ.update(environment)
    return environment
