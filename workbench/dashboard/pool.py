"""Things that take long to make, kept ready a few of each kind; made one at a time, dropped when out of date."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

FIRST_RETRY_S = 2.0
"""After the first failure; each further one of the same doubles it: a kernel that was killed is soon made again, a page
that cannot run is not tried all the time."""
LAST_PAUSE_S = 1.0
"""After the last one of a kind was taken: whoever comes next would wait longer than its taker is held up."""
T = TypeVar("T")
Stamp = Any
"""Says which state of a kind something was made from; ``None`` where there is no such kind now."""


@dataclass(frozen=True)
class Supply(Generic[T]):
    """How the things of a pool are made, judged and ended."""

    make: Callable[[str], Awaitable[T]]
    """Of a kind; whatever it raises is logged, and tried again later."""
    end: Callable[[T], Awaitable[None]]
    stamp: Callable[[str], Stamp]
    usable: Callable[[T], bool]


@dataclass(frozen=True)
class _Kept(Generic[T]):
    stamp: Stamp
    thing: T


@dataclass(frozen=True)
class _Failed:
    stamp: Stamp
    again_at: float
    pause_s: float


class Pool(Generic[T]):
    """Keeps ``sizes[kind]`` things of each kind, while ``keep_filled`` runs.

    What is taken belongs to the taker. What was made from another stamp than the kind has now is never given.
    """

    def __init__(
        self,
        sizes: Mapping[str, int],
        supply: Supply[T],
        *,
        check_s: float = 10.0,
        pause_s: float = 2.0,
        retry_s: float = 60.0,
        log: logging.Logger | None = None,
    ) -> None:
        self.sizes = dict(sizes)
        self._supply = supply
        self._check_s, self._pause_s, self._retry_s = check_s, pause_s, retry_s
        self._log = log or logging.getLogger(__name__)
        self._kept: dict[str, list[_Kept[T]]] = {kind: [] for kind in sizes}
        self._failed: dict[str, _Failed] = {}
        self._taken = asyncio.Event()
        self._hurry = asyncio.Event()

    def count(self, kind: str) -> int:
        """How many of the kind can be taken now."""
        return len(self._fresh(kind))

    def things(self) -> list[T]:
        """All that are kept, out of date or not."""
        return [kept.thing for kept in self._all()]

    def take(self, kind: str) -> T:
        """The oldest one of the kind.

        Raises
        ------
        LookupError
            None is ready; ask ``count`` before.
        """
        fresh = self._fresh(kind)
        if not fresh:
            raise LookupError(f"no {kind} is ready")
        self._kept[kind].remove(fresh[0])
        self._taken.set()
        if len(fresh) == 1:
            self._hurry.set()
        return fresh[0].thing

    async def keep_filled(self) -> None:
        """Drop, make and wait, until cancelled; what is being made then is ended by ``make`` itself."""
        while True:
            await self._drop()
            kind = self._missing()
            if kind is None:
                await self._wait(self._check_s)
            else:
                await self._make(kind)

    async def _make(self, kind: str) -> None:
        stamp = self._supply.stamp(kind)
        try:
            thing = await self._supply.make(kind)
        except Exception:
            # Whoever opens the page is told what is wrong with it; the server goes on without its kernel.
            before = self._failed.get(kind)
            pause_s = 2 * before.pause_s if before and before.stamp == stamp else FIRST_RETRY_S
            pause_s = min(pause_s, self._retry_s)
            self._log.exception("could not prepare %s; next try in %.0f s", kind, pause_s)
            self._failed[kind] = _Failed(stamp, asyncio.get_running_loop().time() + pause_s, pause_s)
        else:
            self._failed.pop(kind, None)
            self._kept[kind].append(_Kept(stamp, thing))

    async def _drop(self) -> None:
        for kind, kept in self._kept.items():
            fresh = self._fresh(kind)[: self.sizes[kind]]
            for old in [one for one in kept if one not in fresh]:
                kept.remove(old)
                try:
                    await self._supply.end(old.thing)
                except Exception:
                    # One that cannot be ended must not keep the others from being made.
                    self._log.exception("could not end what was prepared for %s", kind)

    async def _wait(self, timeout_s: float) -> None:
        """Until something is taken, and a little longer, so that its taker comes first; or the time is over."""
        self._taken.clear()
        self._hurry.clear()
        try:
            await asyncio.wait_for(self._taken.wait(), timeout_s)
        except TimeoutError:
            if not self._taken.is_set():  # both may come in one turn of the loop
                return
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._hurry.wait(), self._pause_s)
            await asyncio.sleep(min(LAST_PAUSE_S, self._pause_s))

    def _missing(self) -> str | None:
        """Of the kinds that lack some the one that has fewest: each has one before any has two."""
        lacking = [
            kind for kind, size in self.sizes.items() if self.count(kind) < size and self._can_be_made(kind)
        ]
        return min(lacking, key=self.count, default=None)

    def _can_be_made(self, kind: str) -> bool:
        stamp, failed = self._supply.stamp(kind), self._failed.get(kind)
        if stamp is None:
            return False
        now = asyncio.get_running_loop().time()
        return not failed or failed.stamp != stamp or now >= failed.again_at

    def _fresh(self, kind: str) -> list[_Kept[T]]:
        kept = self._kept.get(kind, [])
        stamp = self._supply.stamp(kind) if kept else None
        return [one for one in kept if one.stamp == stamp and self._supply.usable(one.thing)]

    def _all(self) -> list[_Kept[T]]:
        return [one for kept in self._kept.values() for one in kept]
