"""Money, by what exists: AWS is asked every few seconds, and what was seen is counted at list prices."""

import json
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workbench.aws import instances, names
from workbench.aws.instances import Instance
from workbench.aws.prices import Prices
from workbench.aws.session import Session
from workbench.errors import WorkbenchError

EVERY_S = 10.0
RUNS = ("pending", "running", "stopping", "shutting-down")
"""States in which a machine is charged for; the last two are counted to be on the safe side."""
DISKS_GB = {"working": 40, "frontend": 10, "backend": 10}
NODE_DISK_GB = 30
LEAST_S = 60.0
"""AWS charges a minute at least, for each start."""
RELEASE_S = 900.0
"""What a release may take, in which machines still cost."""


@dataclass
class Counted:
    """One machine, as long as it was seen."""

    id: str
    type: str
    role: str
    cluster: str
    spot: bool
    price_per_hour: float
    """At the price on demand, an upper bound for spot machines; with its disk and address while it runs."""
    standing_per_hour: float
    """Of its disk, and an address that it keeps, while it is stopped."""
    runs_s: float = 0.0
    stands_s: float = 0.0

    @property
    def dollars(self) -> float:
        return (
            max(LEAST_S, self.runs_s) * self.price_per_hour + self.stands_s * self.standing_per_hour
        ) / 3600


@dataclass
class Meter:
    """Counts in a thread of its own, from ``start`` to ``stop``.

    Attributes
    ----------
    cap
        US dollars. ``over`` is called once, when what was counted and what a release would take reach it, or when
        ``deadline`` (of the monotonic clock) is over.
    """

    session: Session
    prices: Prices
    cap: float
    over: Callable[[str], None]
    deadline: float = float("inf")
    every_s: float = EVERY_S
    machines: dict[str, Counted] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    _told: bool = False
    _looking: threading.Lock = field(default_factory=threading.Lock)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None
    _seen_at: float | None = None

    def start(self) -> None:
        """Begin to count."""
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Count once more, and no longer."""
        self._stopping.set()
        if self._thread:
            self._thread.join()
        self.look()

    @property
    def dollars(self) -> float:
        """What all of it has cost so far."""
        return sum(machine.dollars for machine in list(self.machines.values()))

    def _run(self) -> None:
        while not self._stopping.wait(self.every_s):
            self.look()

    def look(self) -> None:
        """Count now."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        now = time.monotonic()
        try:
            found = instances.find(self.session, names.filters(), doing="count what exists")
        except WorkbenchError as error:  # counted again when AWS answers; what is known is taken to go on
            self.failures.append(str(error))
            found = None
        self.count(found, 0.0 if self._seen_at is None else now - self._seen_at)
        self._seen_at = now
        rate = self._living * RELEASE_S / 3600
        if not self._told and (self.dollars + rate >= self.cap or now >= self.deadline):
            self._told = True
            why = "the time" if now >= self.deadline else f"the cap of ${self.cap:.2f}"
            self.over(f"{why} is used up: ${self.dollars:.2f} so far, and up to ${rate:.2f} to release it")

    _living: float = 0.0
    """Dollars an hour of what was seen last."""

    def count(self, found: Sequence[Instance] | None, passed_s: float) -> None:
        """Count what is there now for the time since the look before; ``None``: as at the look before."""
        if found is not None:
            self._now = {one.id: one.state for one in found}
            for one in found:
                if one.id not in self.machines and one.state in (*RUNS, "stopped"):
                    self.machines[one.id] = self._price(one)
        self._living = 0.0
        for id, state in self._now.items():
            if (machine := self.machines.get(id)) is None:
                continue
            if state in RUNS:
                machine.runs_s += passed_s
                self._living += machine.price_per_hour
            elif state == "stopped":
                machine.stands_s += passed_s
                self._living += machine.standing_per_hour

    _now: dict[str, str] = field(default_factory=dict)

    def _price(self, one: Instance) -> Counted:
        role = one.tags.get("role", "")
        disk = self.prices.disk(DISKS_GB.get(role, NODE_DISK_GB))
        address = self.prices.address_hour
        hour = self.prices.machine(one.type)
        if hour is None:
            self.failures.append(f"no price is known of {one.type}; counted as $1 an hour")
        return Counted(
            id=one.id,
            type=one.type,
            role=role,
            cluster=one.tags.get("cluster", ""),
            spot=one.spot,
            price_per_hour=(1.0 if hour is None else hour) + disk + address,
            standing_per_hour=disk + (address if role in ("working", "frontend") else 0.0),
        )

    def write(self, path: Path) -> None:
        """Keep what was counted, for the comparison with what AWS charges."""
        told: dict[str, Any] = {
            "dollars": round(self.dollars, 4),
            "prices": self.prices.source,
            "machines": [{**asdict(one), "dollars": round(one.dollars, 4)} for one in self.machines.values()],
            "failures": self.failures[-20:],
        }
        path.write_text(json.dumps(told, indent=1))
