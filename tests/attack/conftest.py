"""A store in an empty home, for jobs whose runner is real."""

from tests.runner.stand import store

__all__ = ["store"]
