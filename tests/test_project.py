"""The tree is what the documents say it is."""

import re
import subprocess
import tomllib

from tests.conftest import SLOW
from workbench import __version__
from workbench.cli import make_parser
from workbench.cli.completion import find_words
from workbench.settings import PROJECT


def test_the_conda_environment_is_true_to_the_project() -> None:
    project = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]
    text = (PROJECT / "environment.yml").read_text()
    assert f"python{project['requires-python']}" in text
    extras = re.search(r"-e \.\[(.+)\]", text)
    assert extras is not None
    assert extras[1] == "all"


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


def test_every_option_is_documented_with_its_command_and_every_documented_one_exists() -> None:
    """``--json`` is told once for all listings; a row says "as submit" for what it shares with that command."""
    text = (PROJECT / "docs" / "commands.md").read_text()
    rows = re.findall(r"^\| `workbench ([^`]+)`", text, re.MULTILINE)
    _, verbs = make_parser()
    wrong = {}
    for name, words in find_words(verbs.parsers).items():
        own = [row for row in rows if f"{row} ".startswith(f"{name} ")]
        if name not in verbs.parsers and not own:
            continue  # an option that has a choice, or ``data list``, which ``data`` alone means
        if any("as submit" in row for row in own):
            own += [row.replace("--wait", "") for row in rows if row.startswith("submit ")]
        has = {word for word in words if word.startswith("--")} - {"--help", "--json"}
        told = set(re.findall(r"--[a-z-]+", " ".join(own))) - {"--json"}
        if has != told and name != "data":
            wrong[name] = {"not documented": has - told, "is not there": told - has}
    assert not wrong


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


def test_the_lock_knows_for_each_extra_what_the_project_asks_for() -> None:
    """A lock that two changes were merged into may be true to neither, and ``uv lock --check`` does not see it."""
    asked = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    packages = tomllib.loads((PROJECT / "uv.lock").read_text())["package"]
    (ours,) = (package for package in packages if package["name"] == "workbench")
    locked = {extra: {one["name"] for one in found} for extra, found in ours["optional-dependencies"].items()}
    for extra, lines in asked.items():
        names = {re.split(r"[<>=\[]", line)[0] for line in lines} - {"workbench"}
        assert names <= locked[extra], extra
    used = [*(extra for extra in asked if extra not in ("all", "dev"))]
    assert set().union(*(locked[extra] for extra in used)) - {"workbench"} <= locked["all"]
