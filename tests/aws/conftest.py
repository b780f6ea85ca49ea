"""AWS for the tests of the provider: see ``tests/emulator/fixtures.py``."""

from tests.emulator.fixtures import (  # noqa: F401
    emulator,
    proc_emulator,
    running_emulator,
    running_folders,
    running_states,
    still_emulator,
)
