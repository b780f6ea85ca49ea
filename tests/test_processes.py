"""``docs/processes.md`` names every module that is started as a process, and none that is not."""

import re

from workbench.dashboard.forked import client
from workbench.machines.local import fork_client, provider
from workbench.settings import PROJECT
from workbench.tasks import child, preview

STARTED = ("workbench", "backend", "gunicorn", "jupyter_server")
"""Packages of which modules are started; other tools have options ``-m`` as well."""
TABLES = (PROJECT / "docs" / "processes.md").read_text()


def documented() -> set[str]:
    """The names in the second column."""
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|", TABLES, re.MULTILINE)
    return {name for cell in rows for name in re.findall(r"`([\w.]+)`", cell)}


def programs() -> set[str]:
    """Modules of ours that do something when they are run."""
    found = set()
    for package in ("workbench", "backend"):
        for path in (PROJECT / package).rglob("*.py"):
            if path.name == "__main__.py" or "\nif __name__ ==" in path.read_text():
                found.add(".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__main__"))
    return found


def started() -> set[str]:
    """Modules that the code starts by ``-m``, by Python's ``runpy``, or by having a machine import them."""
    texts = [
        path.read_text()
        for package in ("workbench", "backend")
        for path in (PROJECT / package).rglob("*")
        if path.suffix in (".py", ".sh")
    ]
    by_name = {
        name
        for text in texts
        for name in re.findall(r'"-m",\s*"([\w.]+)"|run_module\("([\w.]+)"|python"? -m ([\w.]+)', text)
    }
    constants = {
        client.SERVER,
        fork_client.SERVER,
        provider.NODE.removesuffix(".__main__"),
        child.TRIAL,
        preview.TASK,
    }
    named = {part for found in by_name for part in found if part.split(".")[0] in STARTED}
    return named | constants


def test_every_module_that_is_a_program_is_in_the_table() -> None:
    assert programs() - documented() == set()


def test_every_module_that_is_started_is_in_the_table() -> None:
    assert started() - documented() == set()


def test_every_module_of_the_table_is_started() -> None:
    theirs = {"apache2", "ipykernel_launcher", "tensorflow_model_server"}
    ours = {name for name in documented() if "." in name} - theirs
    assert ours <= programs() | started()
    for name in ours:
        path = PROJECT.joinpath(*name.split("."))
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), name
