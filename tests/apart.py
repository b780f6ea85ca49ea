"""What needs a thread without an event loop: Playwright keeps one running in the thread of the tests that use it."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

T = TypeVar("T")


def in_a_thread(do: Callable[[], T]) -> T:
    """Do it in a thread of its own, and wait for what it gives or raises."""
    with ThreadPoolExecutor(1, thread_name_prefix="apart") as pool:
        return pool.submit(do).result()


def run_apart(scene: Coroutine[Any, Any, T]) -> T:
    """Run the coroutine in an event loop and a thread of its own."""
    return in_a_thread(lambda: asyncio.run(scene))
