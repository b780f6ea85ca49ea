"""What we are made of, and what that costs at a start."""

import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from workbench.settings import PROJECT

LIGHT = {"tensorflow", "keras", "numpy", "sqlalchemy", "boto3", "ipywidgets", "flask", "psutil"}


@pytest.fixture(scope="module")
def supply_chain() -> ModuleType:
    path = PROJECT / "tools" / "supply_chain.py"
    spec = importlib.util.spec_from_file_location("supply_chain", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_package_that_users_install_has_a_licence(supply_chain: ModuleType) -> None:
    licences = supply_chain.by_licence(supply_chain.locked())
    assert licences.get("", []) == []
    assert not [name for name in licences if "AGPL" in name or name.startswith("GPL")]


def test_what_the_lock_leaves_out_is_not_installed(supply_chain: ModuleType) -> None:
    """It would take 1.4 CPU seconds of each start of the Jupyter server (docs/dependencies.md)."""
    assert "rfc3987-syntax" not in supply_chain.locked()


@pytest.mark.parametrize(
    "command", ["import workbench", "from workbench.cli import make_parser; make_parser()"]
)
def test_a_start_imports_nothing_heavy(command: str) -> None:
    code = f"{command}\nimport sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not LIGHT & set(done.stdout.split())
