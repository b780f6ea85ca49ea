"""What the tests of a runner share: a store in an empty home."""

from tests.runner.stand import store

__all__ = ["store"]
