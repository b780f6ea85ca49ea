"""A gunicorn that answers with version 1, for the tests that ask for it."""

from tests.backend.server.live import first_version

__all__ = ["first_version"]
