"""The structure is what ``docs/architecture.md`` says: one table of units, and imports that go down it."""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path

import pytest

from workbench.settings import PROJECT

PAGE = PROJECT / "docs" / "architecture.md"
SOURCES = [path for top in ("workbench", "backend") for path in sorted((PROJECT / top).rglob("*.py"))]
EVERYWHERE = {"errors", "settings"}
"""Units that any may import but those that the table says import nothing."""
ONE_PLACE = {
    "boto3": {"workbench/aws", "workbench/application/boot"},
    "botocore": {"workbench/aws"},
    "sqlalchemy": {"workbench/jobs"},
    "tensorflow": {
        "workbench/node",
        "workbench/upstream",
        "workbench/datasets/kept/streams.py",
        "backend/tfserving/server.py",
    },
    "keras": {"workbench/layers.py", "workbench/node", "workbench/upstream", "backend/tfserving/server.py"},
    "onnxruntime": {"workbench/node", "workbench/models", "backend/deployments/engines.py"},
    "grpc": {"backend/tfserving"},
    "google.protobuf": {"backend/tfserving"},
}
MOST_FILES = 15
MOST_LOOSE = 30
"""``dict[str, Any]`` in the code: at the edge where JSON is taken apart, never further."""


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in SOURCES}


@cache
def imports(path: Path, types_too: bool = False) -> frozenset[str]:
    """Every module of ours that a file imports, at the top or inside a function; for type checking only if asked."""
    tree = ast.parse(path.read_text())
    skipped = {
        id(inner)
        for node in ast.walk(tree)
        if not types_too and isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found: set[str] = set()
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in inner}
    return frozenset(found)


def ours(path: Path, types_too: bool = False) -> set[str]:
    return {name for name in imports(path, types_too) if name.split(".")[0] in ("workbench", "backend")}


def unit(module: str) -> str:
    """The unit of a module: the room below ``workbench``, or ``backend``.

    >>> unit("workbench.jobs.store"), unit("workbench"), unit("backend.app")
    ('jobs', 'api', 'backend')
    """
    top, _, rest = module.partition(".")
    return "backend" if top == "backend" else rest.partition(".")[0] or "api"


def table() -> dict[str, set[str]]:
    """The units of the page, from the top down, and what each may import."""
    found: dict[str, set[str]] = {}
    for name, may in re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|$", PAGE.read_text(), re.MULTILINE):
        found[name] = set(re.findall(r"`(\w+)`", may))
        if "nothing" not in may and "alone" not in may:
            found[name] |= EVERYWHERE - {name}
    return found


def circles(edges: Mapping[str, Iterable[str]]) -> list[list[str]]:
    """The strongly connected parts that have more than one node (Tarjan 1972)."""
    number: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        number[node] = low[node] = len(number)
        stack.append(node)
        for other in edges.get(node, ()):
            if other not in number:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], number[other])
        if low[node] == number[node]:
            part = [stack.pop()]
            while part[-1] != node:
                part.append(stack.pop())
            if len(part) > 1:
                found.append(sorted(part))

    for node in edges:
        if node not in number:
            visit(node)
    return found


def edges_of(level: int | None = None) -> dict[str, set[str]]:
    """Who imports whom: modules, or packages cut to so many parts of their names."""

    def cut(module: str) -> str:
        return module if level is None else ".".join(module.split(".")[:level])

    found: dict[str, set[str]] = {}
    for name, path in MODULES.items():
        others = {cut(other) for other in ours(path)} - {cut(name)}
        found.setdefault(cut(name), set()).update(others)
    return found


def test_every_unit_is_in_the_table_and_every_row_is_a_unit() -> None:
    assert {unit(name) for name in MODULES} == set(table())


@pytest.mark.parametrize("name", MODULES)
def test_a_module_imports_what_its_unit_may(name: str) -> None:
    allowed = table()[unit(name)] | {unit(name)}
    upward = {other for other in ours(MODULES[name], types_too=True) if unit(other) not in allowed}
    assert not upward, f"{name} may not import {sorted(upward)}"


def test_the_table_goes_down_only() -> None:
    rows = list(table())
    for place, name in enumerate(rows):
        upward = {other for other in table()[name] if other in rows[:place]}
        assert not upward, f"{name} stands below {sorted(upward)}"


def test_there_is_no_circle_of_modules() -> None:
    assert not circles(edges_of())


@pytest.mark.parametrize("level", [2, 3, 4])
def test_there_is_no_circle_of_packages(level: int) -> None:
    assert not circles(edges_of(level))


def test_no_folder_is_too_full_to_find_anything_in() -> None:
    folders: dict[str, int] = {}
    for path in SOURCES:
        folders[str(path.parent.relative_to(PROJECT))] = (
            folders.get(str(path.parent.relative_to(PROJECT)), 0) + 1
        )
    assert not {name: count for name, count in folders.items() if count > MOST_FILES + 1}


@pytest.mark.parametrize("library", ONE_PLACE)
def test_each_big_library_is_imported_in_one_place(library: str) -> None:
    def uses(path: Path) -> bool:
        return any(name == library or name.startswith(f"{library}.") for name in imports(path))

    places = {path.relative_to(PROJECT).as_posix() for path in SOURCES if uses(path)}
    homes = ONE_PLACE[library]
    assert not {p for p in places if not any(p == home or p.startswith(f"{home}/") for home in homes)}


def test_hardly_any_value_travels_without_a_type() -> None:
    assert sum(path.read_text().count("dict[str, Any]") for path in SOURCES) < MOST_LOOSE


def private_touches() -> Iterator[str]:
    """Imports of modules whose names say that they are private, outside the one room for that."""
    for name, path in MODULES.items():
        if unit(name) != "upstream":
            yield from (f"{name}: {other}" for other in imports(path) if "._" in other and other[0] != "_")


def test_private_modules_of_dependencies_are_imported_upstream_only() -> None:
    assert not list(private_touches())
