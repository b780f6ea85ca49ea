"""Each extra alone brings all that its rooms import; what another one happens to bring is hidden from them."""

import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

import pytest

from workbench.settings import PROJECT

_HIDING = """
import importlib, sys
hidden = set(sys.argv[1].split(","))
class Hiding:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in hidden:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Hiding())
for name in sys.argv[2].split(","):
    importlib.import_module(name)
"""


def brought(extra: str) -> set[str]:
    """The distributions that come with an extra alone, with all that they need."""
    found: set[str] = set()
    rest, seen = [("workbench", extra), ("workbench", "")], set()
    while rest:
        if (one := rest.pop()) in seen:
            continue
        seen.add(one)
        found.add(one[0])
        for line in needed(*one):
            match = re.match(r"([\w.-]+)\s*(?:\[([^\]]*)\])?", line)
            assert match is not None
            rest += [(normal(match[1]), more.strip()) for more in ("", *(match[2] or "").split(","))]
    return found


def needed(distribution: str, extra: str) -> list[str]:
    """What it requires, with the extra alone or, where none is named, without any."""
    if distribution == "workbench":  # as it stands now, not as it was installed
        project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
        return [*(project["optional-dependencies"][extra] if extra else project["dependencies"])]
    try:
        lines = requires(distribution) or []
    except PackageNotFoundError:  # of another system
        return []
    asked = [(re.search(r"extra\s*==\s*['\"]([\w.-]+)['\"]", line), line) for line in lines]
    return [line for match, line in asked if (match[1] if match else "") == extra]


def normal(name: str) -> str:
    """A distribution's name as PEP 503 has it."""
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.mark.parametrize(
    ("extra", "rooms"),
    [
        ("backend", "backend.app,workbench.services.backend"),
        ("serving", "backend.app,backend.tfserving.server,backend.tfserving.grpc_server"),
        ("train", "workbench.node.export,workbench.node.role,workbench.runner.attempt,workbench.tasks.check"),
        ("data", "workbench.datasets.adding,workbench.datasets.exporting,workbench.verbs.datasets"),
        ("aws", "workbench.machines.aws.controller.provider,workbench.application.stack"),
        ("sweep", "workbench.verbs.sweeps.driving"),
    ],
)
def test_an_extra_alone_brings_all_that_its_rooms_import(extra: str, rooms: str) -> None:
    there = brought(extra)
    hidden = [
        module
        for module, owners in packages_distributions().items()
        if not there & set(map(normal, owners)) and module not in ("tests", "backend")
    ]
    done = subprocess.run(
        [sys.executable, "-c", _HIDING, ",".join(hidden), rooms],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-1500:]
