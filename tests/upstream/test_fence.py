"""Every module of the fence says why it is there, for which versions, and when it goes; the versions are bounded."""

import re
import tomllib
from pathlib import Path

import pytest

from workbench.settings import PROJECT

MODULES = sorted(
    path for path in (PROJECT / "workbench" / "upstream").glob("*.py") if path.name != "__init__.py"
)


def requirements() -> set[str]:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    return {
        *project["dependencies"],
        *(r for extra in project["optional-dependencies"].values() for r in extra),
    }


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_says_its_versions_as_they_are_bounded_and_when_it_goes(path: Path) -> None:
    said = path.read_text().split('"""')[1]
    line = re.search(r"^Versions: (.*?)\. Goes when", said, re.MULTILINE | re.DOTALL)
    assert line, "no line 'Versions: ``NAME>=…,<…``. Goes when …'"
    versions = re.findall(r"``([^`]+)``", line[1])
    assert versions
    for version in versions:
        assert version in requirements()
        assert "<" in version, f"{version} has no upper bound"


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_it_has_a_test_of_its_own(path: Path) -> None:
    assert (Path(__file__).parent / f"test_{path.stem}.py").exists()
