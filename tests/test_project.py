"""The tree is what the documents say it is."""

import ast
import re
import subprocess
import tomllib
from pathlib import Path

import pytest

from tests.conftest import SLOW
from workbench import __version__
from workbench.cli import make_parser
from workbench.settings import PROJECT

LAYERS = {
    # who: what it may import of ours (itself always)
    "workbench.errors": set(),
    "workbench.settings": {"workbench.errors"},
    "workbench.artifact": {"workbench.errors"},
    "workbench.events": {"workbench.errors"},
    "workbench.datasets": {"workbench.errors", "workbench.settings"},
    "workbench.recipes": {"workbench.errors", "workbench.settings"},
    "workbench.models.charts": set(),
    "workbench.models.evaluation": {"workbench.models.charts"},
    "backend": {"workbench.errors", "workbench.settings", "workbench.artifact"},
}
NEVER = {
    "workbench.node": {
        "workbench.ui",
        "workbench.jobs",
        "workbench.machines",
        "workbench.runner",
        "workbench.services",
    },
    "workbench.jobs": {
        "workbench.ui",
        "workbench.machines",
        "workbench.cli",
        "workbench.runner",
        "workbench.services",
    },
    "workbench.machines": {"workbench.ui", "workbench.cli", "workbench.runner"},
    "workbench.models.registry": {"workbench.ui", "workbench.cli", "workbench.jobs", "workbench.services"},
    "workbench.backends.http": {"workbench.ui", "workbench.cli", "workbench.jobs", "workbench.services"},
    "workbench.services": {"workbench.cli", "workbench.ui"},
    "workbench.verbs.jobs": {"workbench.cli", "workbench.ui", "workbench.services"},
    "workbench.estimates.estimate": {
        "workbench.cli",
        "workbench.ui",
        "workbench.runner",
        "workbench.verbs.jobs",
    },
    "workbench.verbs.logs": {"workbench.cli", "workbench.ui", "workbench.runner", "workbench.jobs"},
    "workbench.ui": {"workbench.cli", "workbench.dashboard"},
    "workbench.dashboard": {"workbench.cli", "workbench.ui", "workbench.verbs.jobs", "workbench.runner"},
}
ONE_PLACE = {
    "boto3": {"workbench/providers"},
    "sqlalchemy": {"workbench/jobs", "workbench/jobs.py", "workbench/migrations"},
    "tensorflow": {"workbench/node", "backend/tfserving/server.py"},
    "onnxruntime": {"workbench/node", "backend/deployments/engines.py"},
    "grpc": {"backend/tfserving/grpc_client.py", "backend/tfserving/grpc_server.py"},
    "google.protobuf": {"backend/tfserving/grpc_format.py", "backend/tfserving/protos"},
}
SOURCES = [path for top in ("workbench", "backend") for path in sorted((PROJECT / top).rglob("*.py"))]


def imports(path: Path) -> set[str]:
    """Every module that the file imports, at the top or inside a function, but for type checking only."""
    found: set[str] = set()
    tree = ast.parse(path.read_text())
    skipped = {
        id(n)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for n in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def module(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


def inside(name: str, place: str) -> bool:
    return name == place or name.startswith(f"{place}.")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_imports_go_down_only(path: Path) -> None:
    name = module(path)
    ours = {i for i in imports(path) if inside(i, "workbench") or inside(i, "backend")}
    for place, allowed in LAYERS.items():
        if inside(name, place):
            upward = {
                i for i in ours if i != "workbench" and not any(inside(i, a) for a in (*allowed, place))
            }
            assert not upward, f"{name} may not import {upward}"
    for place, never in NEVER.items():
        if inside(name, place):
            upward = {i for i in ours if any(inside(i, n) for n in never)}
            assert not upward, f"{name} may not import {upward}"


@pytest.mark.parametrize("library", ONE_PLACE)
def test_each_big_library_is_imported_in_one_place(library: str) -> None:
    places = {
        path.relative_to(PROJECT).as_posix()
        for path in SOURCES
        if any(inside(i, library) for i in imports(path))
    }
    strangers = {
        p for p in places if not any(p == home or p.startswith(f"{home}/") for home in ONE_PLACE[library])
    }
    assert not strangers


def test_the_conda_environment_is_true_to_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    text = (PROJECT / "environment.yml").read_text()
    assert f"python{project['requires-python']}" in text
    extras = re.search(r"-e \.\[(.+)\]", text)
    assert extras is not None
    assert set(extras[1].split(",")) == set(project["optional-dependencies"]) - {"dev"}


def test_the_ten_packages_that_were_asked_for_are_real_dependencies() -> None:
    extras = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    names = {
        re.split(r"[<>=\[]", line)[0] for extra, lines in extras.items() if extra != "dev" for line in lines
    }
    asked = "jupyterlab ipywidgets voila boto3 tensorflow keras opencv-python flask flask-cors imageio"
    assert set(asked.split()) <= names


def test_the_code_is_formatted_linted_and_typed() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "lint"], cwd=PROJECT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_command_is_documented() -> None:
    text = (PROJECT / "docs" / "commands.md").read_text()
    _, verbs = make_parser()
    assert not [verb for verb in verbs.names if f"`workbench {verb}" not in text]


def test_every_setting_is_documented_and_every_documented_one_exists() -> None:
    code = (PROJECT / "workbench" / "settings.py").read_text()
    named = set(re.findall(r"\b(?:WORKBENCH_[A-Z_]+[A-Z]|TF_MODEL_SERVER)\b", code))
    named |= {f"WORKBENCH_{service}_PORT" for service in ("FRONTEND", "BACKEND", "DASHBOARD")}
    documented = set(re.findall(r"^\| `(\w+)`", (PROJECT / "docs" / "settings.md").read_text(), re.MULTILINE))
    assert named - {"WORKBENCH_"} == documented


def test_links_in_the_documents_lead_somewhere() -> None:
    broken = []
    for page in [*sorted(PROJECT.glob("*.md")), *sorted((PROJECT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                broken.append(f"{page.relative_to(PROJECT)}: {target}")
    assert not broken


def test_the_version_is_the_same_wherever_it_stands() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["version"]
    locked = {
        p["name"]: p.get("version") for p in tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    }
    released = re.search(
        r"^## (\d\S+) \(\d{4}-\d\d-\d\d\)$", (PROJECT / "CHANGELOG.md").read_text(), re.MULTILINE
    )
    assert released is not None
    assert {project, locked["workbench"], released[1]} == {__version__}


def test_what_the_fast_tests_leave_out_exists() -> None:
    assert not [name for name in SLOW if not (PROJECT / "tests" / name).exists()]
