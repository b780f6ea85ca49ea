"""The emulator for its own tests."""

from tests.emulator.fixtures import (  # noqa: F401
    emulator,
    proc_emulator,
    running_emulator,
    running_folders,
    running_states,
    still_emulator,
)
