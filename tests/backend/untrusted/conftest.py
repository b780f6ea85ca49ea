"""One back end that untrusted models are brought to, for a file of tests."""

from tests.backend.untrusted.bands import ask

__all__ = ["ask"]
