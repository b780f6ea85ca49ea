"""A machine with a true systemd: switched on, looked into, its console read, switched off; how differs by its body."""

import shlex
import subprocess
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from tests.aws.boot.root import Root

START_S = 900.0
"""Until it can be looked into, also where nothing but software makes its processor."""
T = TypeVar("T")


class NotWell(Exception):
    """A machine does not do what it is to do."""


@dataclass
class Body(ABC):
    """What runs in the place of an instance.

    Attributes
    ----------
    environ
        What each service of the machine is told: where AWS is.
    seed
        URL of its user data.
    """

    folder: Path
    root: Root
    memory_mb: int
    seed: str
    environ: dict[str, str]
    _process: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    shows_console = True
    """Whether what the machine writes to its console can be read."""
    counts_memory = True
    """Whether its kernel ends what uses up its memory."""

    def __enter__(self) -> "Body":
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            self.prepare()
            self.on()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        self.clear()

    @abstractmethod
    def prepare(self) -> None:
        """Make its disk."""

    @abstractmethod
    def on(self) -> None:
        """Switch it on; its disk is what it was."""

    @abstractmethod
    def clear(self) -> None:
        """Remove what was made for it; it is off."""

    @abstractmethod
    def hears(self) -> bool:
        """Whether it can be looked into by now."""

    @abstractmethod
    def do(self, script: str, seconds: float = 60.0) -> tuple[int, str]:
        """Run a script as root to its end; gives its code and what it printed."""

    @abstractmethod
    def which_boot(self) -> str:
        """Something else after each boot."""

    @property
    def is_on(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def console(self) -> str:
        """All that it has written to its console, over all its boots."""
        path = self.folder / "console"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def kernel_line(self) -> str:
        """What a boot loader tells kernel, systemd and cloud-init."""
        told = [f"systemd.setenv={name}={value}" for name, value in self.environ.items()]
        return " ".join([f"ds=nocloud;s={self.seed}", *told])

    def wait_on(self) -> None:
        """Wait until it can be looked into."""

        def answers() -> bool:
            if not self.is_on:
                raise NotWell(f"the machine is off; console: {self.console[-1500:]}")
            return self.hears()

        until(answers, START_S, lambda: f"the machine can be looked into; console: {self.console[-1500:]}")

    def wait_off(self, seconds: float) -> None:
        """Wait until it has switched itself off."""
        until(lambda: not self.is_on, seconds, lambda: f"the machine is off; console: {self.console[-1500:]}")

    def say(self, script: str, seconds: float = 60.0) -> str:
        """What a script prints that ends well."""
        code, said = self.do(script, seconds)
        if code:
            raise NotWell(f"a script ends with {code}: {script}: {said[-1500:]}")
        return said.strip()

    def unit(self, name: str, *properties: str) -> dict[str, str]:
        """Some of a unit's properties, as systemd has them."""
        told = self.say(f"systemctl show {shlex.quote(name)} -p {','.join(properties)}")
        return {key: value for key, _, value in (line.partition("=") for line in told.splitlines())}

    def reboot(self) -> None:
        """Switch it off and on from inside, as an upgrade of the kernel does; back when it can be looked into."""
        before = self.which_boot()
        self.do("systemctl --no-block reboot")

        def came_back() -> bool:
            try:
                return self.hears() and self.which_boot() != before
            except (NotWell, OSError):
                return False

        until(came_back, START_S, lambda: f"the machine comes back; console: {self.console[-1500:]}")


def until(condition: Callable[[], T], seconds: float, what: str | Callable[[], str]) -> T:
    """What the condition gives as soon as it is true."""
    give_up = time.monotonic() + seconds
    while not (value := condition()):
        if time.monotonic() > give_up:
            raise NotWell(f"not within {seconds:.0f} s: {what if isinstance(what, str) else what()}")
        time.sleep(0.5)
    return value
