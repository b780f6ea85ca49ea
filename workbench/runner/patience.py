"""Patience with what is away for a while: machines elsewhere, and the store."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from workbench.errors import Unavailable, WorkbenchError
from workbench.machines import scarcity
from workbench.runner.faults import Rules

PATIENCE_S = 120.0
"""How long a store, or machines elsewhere, that cannot be reached are asked again."""
AWAY_PAUSE_S = 2.0
STORE_PAUSE_S = 1.0

Stop = Callable[[], bool]
"""Asked again and again by what takes long; yes means that it is to end."""
T = TypeVar("T")


class Away(WorkbenchError):
    """The machines cannot be reached but go on without us; whoever takes the job up next asks them again."""


@dataclass(frozen=True)
class Patience:
    """How a runner waits for what cannot be reached now.

    Attributes
    ----------
    independent
        The machines go on without a runner, so it is worth asking for them again.
    is_told
        Whether the job is to end, or another runner has it: then nothing is waited for.
    wait
        Lets so many seconds pass, fewer if the job is to end.
    go_on
        Raises where the job is to end, or has cost what it may.
    """

    independent: bool
    is_told: Stop
    wait: Callable[[float], object]
    go_on: Callable[[], object] = lambda: None

    def with_machines(self, do: Callable[[], T]) -> T:
        """Do something with machines that go on without us: while they cannot be reached, ask again for a while.

        Raises
        ------
        Unavailable
            Asking again does not help.
        Away
            It may later.
        """
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return do()
            except Unavailable as error:
                if not (self.independent and error.passing) or self.is_told():
                    raise
                if time.monotonic() > give_up:
                    raise Away(f"the machines cannot be reached now: {error}") from error
                self.wait(AWAY_PAUSE_S)

    def until_free(self, do: Callable[[], T], tell: Callable[[str], object], rules: Rules) -> T:
        """Do something that needs machines; while none is free, ask again for so long, or until the job is to end.

        Raises
        ------
        NoMachineFree
        """

        def wait(seconds: float) -> None:
            self.wait(seconds)
            self.go_on()

        return scarcity.until_free(
            do,
            tell,
            wait,
            most_s=rules.free_s,
            pauses_s=rules.free_pauses_s,
            how="until there is one or the job is terminated",
        )

    def with_store(self, do: Callable[[], T]) -> T:
        """Do something with the store; one that cannot be reached is asked again for a while.

        Raises
        ------
        Unavailable
        """
        give_up = time.monotonic() + PATIENCE_S
        while True:
            try:
                return do()
            except Unavailable:
                if time.monotonic() > give_up or self.is_told():
                    raise
                self.wait(STORE_PAUSE_S)
