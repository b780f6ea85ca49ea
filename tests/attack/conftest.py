"""A store in an empty home, and a secret in it, for jobs whose runner is real."""

from tests.attack.hostile import secret
from tests.runner.stand import store

__all__ = ["secret", "store"]
