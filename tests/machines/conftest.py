"""The provider of AWS among the others."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator
from tests.machines.aws.ground import make_ground, make_stub_provider
from tests.machines.bench import Bench
from workbench.machines import Machine


@pytest.fixture
def aws(emulator: Emulator, tmp_path: Path) -> Iterator[Bench]:
    """Machines that are the emulator's."""
    home = tmp_path / "home"
    home.mkdir()
    provider = make_stub_provider(make_settings(home))
    ground = make_ground(provider.session)
    provider = make_stub_provider(make_settings(home), ground)

    def crash(machine: Machine) -> None:
        assert provider.run(machine, "kill", "-9", str(machine.pid)).code == 0

    yield Bench(provider, lambda: make_stub_provider(make_settings(home), ground), home, crash)
    for name in {machine.cluster for machine in provider.machines()}:
        provider.terminate(name)
