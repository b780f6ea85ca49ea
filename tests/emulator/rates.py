"""The rates at which AWS lets itself be asked, as far as it publishes them: a bucket of requests for each action.

https://docs.aws.amazon.com/ec2/latest/devguide/ec2-api-throttling.html, for a region of an account.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from tests.emulator.calls import Call


@dataclass(frozen=True)
class Rate:
    """So many at once, and so many more each second."""

    at_once: float
    per_s: float


OF_ACTION = {
    "RunInstances": Rate(5, 2),
    "StartInstances": Rate(5, 2),
    "StopInstances": Rate(5, 2),
    "TerminateInstances": Rate(100, 5),
    "CreateTags": Rate(100, 10),
    "DescribeInstances": Rate(100, 20),
}
LOOKING, CHANGING = Rate(100, 20), Rate(50, 5)
"""Of EC2's other actions."""


class Rates:
    """What is left in each bucket; nothing is refused until ``limited``."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.limited = False
        self._clock = clock
        self._lock = threading.Lock()
        self._left: dict[str, tuple[float, float]] = {}
        """Action → requests left, and when that was so."""

    def limit(self, wanted: bool) -> None:
        """Refuse from now on what comes too often, or nothing any more; all buckets are full."""
        with self._lock:
            self.limited = wanted
            self._left.clear()

    def refuses(self, call: Call) -> bool:
        """Take a request out of its bucket; true where that is empty."""
        if not self.limited or call.service != "ec2":
            return False
        rate = OF_ACTION.get(call.action, CHANGING if call.changes() else LOOKING)
        with self._lock:
            now = self._clock()
            left, then = self._left.get(call.action, (rate.at_once, now))
            left = min(rate.at_once, left + (now - then) * rate.per_s)
            refused = left < 1
            self._left[call.action] = (left if refused else left - 1, now)
        return refused
