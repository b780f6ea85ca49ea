"""The pool alone, with things that are made at once and stamps that the test sets."""

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.apart import run_apart
from workbench.dashboard.pool import Pool, Supply


class Bakery:
    """Makes numbered loaves; tells how many ovens were on at once."""

    def __init__(self) -> None:
        self.recipes: dict[str, int | None] = {"rye": 1, "oat": 1}
        self.made: list[str] = []
        self.ended: list[str] = []
        self.stale: set[str] = set()
        self.broken: set[str] = set()
        self.stuck: set[str] = set()
        self.most_at_once = 0
        self._at_once = 0
        self._numbers = itertools.count(1)

    async def make(self, kind: str) -> str:
        self._at_once += 1
        self.most_at_once = max(self.most_at_once, self._at_once)
        await asyncio.sleep(0)
        self._at_once -= 1
        if kind in self.broken:
            self.made.append("burnt")
            raise ValueError("burnt")
        self.made.append(f"{kind} {next(self._numbers)}")
        return self.made[-1]

    async def end(self, loaf: str) -> None:
        if loaf in self.stuck:
            raise RuntimeError("stuck")
        self.ended.append(loaf)

    @contextlib.asynccontextmanager
    async def pool(self, *, pause_s: float = 0.0, **sizes: int) -> AsyncIterator[Pool[str]]:
        supply = Supply(self.make, self.end, self.recipes.get, lambda loaf: loaf not in self.stale)
        pool = Pool(sizes, supply, check_s=0.01, pause_s=pause_s, retry_s=0.05)
        filling = asyncio.ensure_future(pool.keep_filled())
        try:
            yield pool
        finally:
            filling.cancel()


async def until(condition: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await asyncio.sleep(0.005)


def test_it_is_filled_one_at_a_time_and_again_after_something_was_taken() -> None:
    async def scene() -> None:
        bakery = Bakery()
        async with bakery.pool(rye=2, oat=1) as pool:
            await until(lambda: (pool.count("rye"), pool.count("oat")) == (2, 1))
            assert bakery.most_at_once == 1
            assert pool.take("rye") == "rye 1"
            await until(lambda: pool.count("rye") == 2)
        assert bakery.made == ["rye 1", "oat 2", "rye 3", "rye 4"], "each kind has one before any has two"
        assert bakery.ended == []

    run_apart(scene())


def test_the_next_is_made_at_once_where_the_last_was_taken_and_later_where_there_is_another() -> None:
    async def scene() -> None:
        bakery = Bakery()
        async with bakery.pool(pause_s=3600.0, rye=2) as pool:
            await until(lambda: pool.count("rye") == 2)
            pool.take("rye")
            await asyncio.sleep(0.05)
            assert pool.count("rye") == 1, "its taker comes first"
            pool.take("rye")
            await until(lambda: pool.count("rye") == 2)

    run_apart(scene())


def test_nothing_out_of_date_is_given_and_it_is_ended_and_made_anew() -> None:
    async def scene() -> None:
        bakery = Bakery()
        async with bakery.pool(rye=1, oat=1) as pool:
            await until(lambda: pool.count("rye") == pool.count("oat") == 1)
            bakery.recipes["rye"] = 2
            assert (pool.count("rye"), pool.count("oat")) == (0, 1)
            with pytest.raises(LookupError, match="no rye is ready"):
                pool.take("rye")
            await until(lambda: pool.count("rye") == 1)
            assert bakery.ended == ["rye 1"]
            bakery.stale = {"oat 2"}
            await until(lambda: pool.things() == ["rye 3", "oat 4"])

    run_apart(scene())


def test_what_is_no_more_is_ended_and_what_comes_is_made() -> None:
    async def scene() -> None:
        bakery = Bakery()
        bakery.recipes["oat"] = None
        async with bakery.pool(rye=1, oat=1, none=0) as pool:
            await until(lambda: pool.count("rye") == 1)
            bakery.recipes.update(rye=None, oat=1)
            await until(lambda: pool.things() == ["oat 2"])
        assert bakery.ended == ["rye 1"]

    run_apart(scene())


def test_what_fails_is_tried_later_or_when_it_was_changed_and_keeps_nobody_waiting() -> None:
    async def scene() -> None:
        bakery = Bakery()
        bakery.broken = {"rye"}
        async with bakery.pool(rye=1, oat=1) as pool:
            await until(lambda: pool.count("oat") == 1)
            assert set(bakery.made) == {"burnt", "oat 1"}
            await until(lambda: bakery.made.count("burnt") >= 2)
            bakery.broken = set()
            bakery.recipes["rye"] = 2
            await until(lambda: pool.count("rye") == 1)

    run_apart(scene())


def test_what_cannot_be_ended_keeps_nothing_else_from_being_made() -> None:
    async def scene() -> None:
        bakery = Bakery()
        bakery.stuck = {"rye 1"}
        async with bakery.pool(rye=1) as pool:
            await until(lambda: pool.count("rye") == 1)
            bakery.stale = {"rye 1"}
            await until(lambda: pool.things() == ["rye 2"])

    run_apart(scene())
