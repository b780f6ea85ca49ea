"""Packages of a recipe: which lines are read, locked against what is here, and installed once for each lock."""

import os
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest

from tests.packages import made
from workbench import packages, recipes
from workbench.errors import RecipeError, Unavailable
from workbench.packages import uv
from workbench.recipes import Recipe


def test_lines_of_a_file_and_of_a_notebooks_cell_are_read() -> None:
    text = """# what we need
pandas >=2, <3   # tables
scikit-learn[all]==1.5.*
torch ; sys_platform != "win32"

%pip install -q 'rich>=13' httpx2 --upgrade
!pip3 install seaborn
python -m pip install tqdm
"""
    found = packages.parse(text)
    assert [one.name for one in found] == [
        *("pandas", "scikit-learn", "torch", "rich", "httpx2", "seaborn", "tqdm"),
    ]
    assert [one.line for one in found] == [2, 3, 4, 6, 6, 7, 8]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("-r other.txt", "options of pip"),
        ("--index-url https://evil.example/simple", "options of pip"),
        ("--extra-index-url=https://evil.example", "options of pip"),
        ("-e .", "options of pip"),
        ("%pip install --index-url https://evil.example x", "options of pip"),
        ("git+https://example.com/x.git", "packages of the index"),
        ("x @ file:///etc/passwd", "packages of the index"),
        ("./mine.whl", "packages of the index"),
        ("/tmp/mine-1-py3-none-any.whl", "packages of the index"),
        ("https://example.com/x.whl", "packages of the index"),
        ("import pandas", "a line each"),
        ("pandas numpy", "a line each"),
        ("pandas=2", "a line each"),
        ("pandas>=", "a line each"),
        ("x; rm -rf /\npandas; ; ;", "a line each"),
        ("%pip install 'x", "a line each"),
    ],
)
def test_lines_that_are_no_package_of_the_index_are_refused_with_their_number(line: str, said: str) -> None:
    with pytest.raises(RecipeError, match=said) as caught:
        packages.parse(f"\n{line}")
    assert caught.value.field == "requirements"
    assert caught.value.line in (2, 3)
    with pytest.raises(RecipeError):
        recipes.check(Recipe("", "def load_data(): ...", "def build_model(): ...", requirements=f"\n{line}"))


@pytest.mark.parametrize(
    ("module", "package"),
    [("sklearn.svm", "scikit-learn"), ("cv2", "opencv-python-headless"), ("my_lib", "my-lib")],
)
def test_a_module_that_is_missing_is_offered_as_the_line_that_brings_it(module: str, package: str) -> None:
    with pytest.raises(ModuleNotFoundError) as caught:
        raise ModuleNotFoundError(f"No module named '{module}'", name=module)
    said = str(recipes.explain(caught.value, Path("/nowhere")))
    assert f"add the line {package} to the requirements" in said
    assert packages.missing_in(said) == package


def test_packages_are_locked_and_installed_once_without_what_is_here_and_read_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = made.index(tmp_path / "index", monkeypatch)
    home = tmp_path / "packages"
    name = packages.provide("tiny-rows<1.2\n", home)
    lock = packages.lock_file(name, home).read_text()
    assert "tiny-rows==1.1" in lock
    assert "tiny-base==1.0" in lock
    assert lock.count("sha256:") == 2
    folder = home / name
    assert sorted(p.name for p in folder.glob("*.py")) == ["tiny_base.py", "tiny_rows.py"]
    assert not any(path.stat().st_mode & 0o222 for path in (folder, *folder.rglob("*")))

    for path in wheels.iterdir():  # nothing is asked again, whatever becomes of the index
        path.unlink()
    assert packages.provide("tiny-rows<1.2  # the same\n", home) == name
    said = f"import sys; from pathlib import Path; from workbench import packages; packages.use({name!r}, Path({str(home)!r})); "
    said += "import tiny_rows, numpy; print(tiny_rows.ROWS, 'site-packages' in numpy.__file__)"
    done = subprocess.run([sys.executable, "-c", said], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["80", "True"]


def test_what_does_not_go_together_with_what_is_here_is_told_before_anything_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.index(tmp_path / "index", monkeypatch)
    home = tmp_path / "packages"
    for text, said in (
        ("# rows\ntiny-rows==1.2\n", r"requirements, line 2: .*numpy"),
        ("no-such-thing-here\n", r"requirements, line 1: .*no-such-thing-here"),
        ("tiny-rows==7\n", r"requirements, line 1: .*tiny-rows==7"),
    ):
        with pytest.raises(RecipeError, match=said) as caught:
            packages.provide(text, home)
        assert caught.value.field == "requirements"
    assert not list(home.glob("*.lock"))


def test_a_package_that_is_here_already_is_not_installed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = made.index(tmp_path / "index", monkeypatch)
    made.wheel(wheels, "numpy", metadata.version("numpy"), "WRONG = 1\n")
    name = packages.provide("numpy\n", tmp_path / "packages")
    assert list((tmp_path / "packages" / name).iterdir()) == []


def test_a_wheel_that_is_another_one_than_was_locked_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheels = made.index(tmp_path / "index", monkeypatch)
    lock = "tiny-base==1.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"
    with pytest.raises(RecipeError, match=r"[Hh]ash"):
        packages.install(lock, tmp_path / "packages")
    assert not [path for path in (tmp_path / "packages").iterdir() if len(path.name) == 32]
    assert len(list(wheels.iterdir())) == 3


def test_an_index_that_cannot_be_reached_is_no_fault_of_the_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    with pytest.raises(Unavailable, match="cannot be fetched now"):
        packages.provide("tiny-rows\n", tmp_path / "packages")


def test_what_is_fetched_ends_when_it_is_not_wanted_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.index(tmp_path / "index", monkeypatch)
    with pytest.raises(packages.Stopped):
        packages.provide("tiny-rows\n", tmp_path / "packages", lambda: True)
    assert not list((tmp_path / "packages").glob("*.lock"))


def test_who_runs_a_recipe_is_told_why_its_packages_are_not_there(tmp_path: Path) -> None:
    packages.use("", tmp_path)
    name = "0" * 32
    with pytest.raises(RecipeError, match="nobody has installed them"):
        packages.use(name, tmp_path)
    packages.why_not(name, tmp_path).write_text("the disk is full")
    with pytest.raises(RecipeError, match="the disk is full"):
        packages.use(name, tmp_path)
    for wrong in ("../x", "/etc", "0" * 31):
        with pytest.raises(Unavailable):
            packages.use(wrong, tmp_path)


def test_uv_is_found_beside_this_python() -> None:
    assert os.access(uv._find(), os.X_OK)


def test_a_line_of_any_length_is_refused_in_one_go() -> None:
    for line in (
        "a" + " " * 100_000 + "!",
        "a[b" + " " * 100_000 + "!",
        "a==1" + " " * 100_000 + "!",
        "a" * 100_000 + "!",
    ):
        with pytest.raises(RecipeError, match="no package"):
            packages.parse(line)
