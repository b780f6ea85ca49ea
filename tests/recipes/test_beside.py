"""Files and modules beside a recipe: which travel, as what, and which names are refused before anything is written."""

import dataclasses
import io
import os
import sys
import zipfile
from pathlib import Path

import pytest

from workbench import recipes
from workbench.errors import BadInput, NotFound, RecipeError, TooLarge
from workbench.jobs import Store
from workbench.recipes import beside
from workbench.settings import Settings, from_environment
from workbench.verbs import recipes as verbs

CODE = {
    "preprocessing.py": b"import nets.deep\nfrom mine import rows\n\n\ndef load_data():\n    return rows(), nets.deep.K\n",
    "training.py": b"def build_model():\n    return 1\n",
}
BESIDE = {
    "mine.py": b"from pathlib import Path\n\n\ndef rows():\n    return Path('data/rows.csv').read_bytes()\n",
    "nets/__init__.py": b"",
    "nets/deep.py": b"K = 3\n",
    "data/rows.csv": b"1,2\r\n\xff\x00",
    "größe.txt": "é".encode(),
}


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return dataclasses.replace(from_environment({}), home=tmp_path / "home")


def written(folder: Path, files: dict[str, bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    return folder


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


def tree(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_travels_through_the_store_to_a_machine_byte_for_byte_and_runs_there(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = {".env": b"SECRET=1", "nets/__pycache__/deep.pyc": b"?", ".git/config": b"", "a.pyc": b""}
    source = written(tmp_path / "recipe", CODE | BESIDE | hidden)
    recipe = verbs.kept(verbs.read(source), settings)
    with Store(f"sqlite:///{tmp_path / 'jobs.db'}") as store:
        kept = store.job(store.submit(name="m", requester="ann", recipe=recipe)).recipe
    assert kept == recipe
    assert kept is not None
    (source / "mine.py").write_text("changed since")
    kept.write(tmp_path / "machine" / "recipe", settings.recipe_files)
    helpers = {"helpers.py": b""}
    assert tree(tmp_path / "machine" / "recipe") == CODE | BESIDE | helpers

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    recipes.enter(tmp_path / "machine" / "recipe", tmp_path / "own")
    program = recipes.load(
        recipes.read_code(tmp_path / "machine" / "recipe"), tmp_path / "machine" / "recipe"
    )
    assert program.load_data() == (BESIDE["data/rows.csv"], 3)


def test_the_modules_of_the_recipe_before_are_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    for k in (1, 2):
        files = {
            "preprocessing.py": b"import mine\n\n\ndef load_data():\n    return mine.K\n",
            "training.py": CODE["training.py"],
            "mine.py": f"K = {k}\n".encode(),
        }
        folder = written(tmp_path / str(k), files)
        assert recipes.load(recipes.read(folder), folder).load_data() == k  # type: ignore[comparison-overlap]
    assert sum(str(tmp_path) in entry for entry in sys.path) == 1


def test_recipes_are_named_by_what_lies_beside_them_and_old_ones_keep_their_names(tmp_path: Path) -> None:
    plain = recipes.read(written(tmp_path / "a", CODE))
    assert plain.sha256 == recipes.Recipe("", plain.preprocessing, plain.training).sha256
    more = recipes.read(written(tmp_path / "a", {"rows.csv": b"1"}))
    other = recipes.read(written(tmp_path / "a", {"rows.csv": b"2"}))
    needs = recipes.read(written(tmp_path / "a", {"requirements.txt": b"pandas\n"}))
    assert len({plain.sha256, more.sha256, other.sha256, needs.sha256}) == 4
    assert (needs.requirements, [one.path for one in needs.files]) == ("pandas\n", ["rows.csv"])


@pytest.mark.parametrize(
    "name",
    [
        "../x",
        "/etc/x",
        "a/../../x",
        "a//x",
        "C:/x",
        "a\\..\\x",
        "a\nb",
        "a\0b",
        "x" * 300,
        "/".join("a" * 30),
        "a/./b",
    ],
)
def test_names_that_lead_elsewhere_are_refused_from_wherever_they_come(name: str, settings: Settings) -> None:
    for refused in (
        lambda: verbs.read_upload(CODE | {name: b""}, settings),
        lambda: beside.parse([{"path": name, "size": 1, "sha256": "0" * 64}]),
        lambda: beside.write([beside.RecipeFile(name, 1, "0" * 64)], settings.home),
    ):
        with pytest.raises(BadInput, match="a path below it"):
            refused()
    assert not settings.recipe_files.exists()


@pytest.mark.parametrize("name", ["../../evil.py", "/tmp/evil", "mine/../../evil"])
def test_a_zip_with_names_that_lead_elsewhere_is_refused_whole(name: str, settings: Settings) -> None:
    with pytest.raises(BadInput, match="a path below it"):
        verbs.read_upload({"mine.zip": zipped({**CODE, name: b"x"})}, settings)
    assert not settings.recipe_files.exists()


@pytest.mark.parametrize("name", ["numpy.py", "json.py", "keras/__init__.py", "random.py"])
def test_a_module_that_would_hide_another_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(BadInput, match=r"would hide the module .*another name"):
        recipes.read(written(tmp_path / "recipe", CODE | {name: b""}))


def test_links_and_pipes_beside_a_recipe_are_refused_and_read_by_nobody(tmp_path: Path) -> None:
    folder = written(tmp_path / "recipe", CODE)
    secret = tmp_path / "secret"
    secret.write_text("key")
    (folder / "rows.csv").symlink_to(secret)
    with pytest.raises(BadInput, match=r"rows\.csv .*is a link"):
        recipes.read(folder)
    (folder / "rows.csv").unlink()
    (folder / "data").symlink_to(tmp_path)
    with pytest.raises(BadInput, match=r"data .*is a link"):
        recipes.read(folder)
    (folder / "data").unlink()
    os.mkfifo(folder / "pipe")
    with pytest.raises(BadInput, match="no plain file"):
        recipes.read(folder)


def test_too_much_is_told_with_the_largest_and_the_way_out_before_it_is_read(tmp_path: Path) -> None:
    folder = written(tmp_path / "recipe", CODE | {"small.csv": b"1"})
    with (folder / "large.bin").open("wb") as file:
        file.truncate(beside.MAX_BYTES)
    with pytest.raises(TooLarge, match=r"50,000,001 bytes.*large\.bin.*data add"):
        recipes.read(folder)
    (folder / "small.csv").unlink()
    assert recipes.read(folder).files[0].size == beside.MAX_BYTES


def test_what_has_changed_or_gone_since_is_told_and_nothing_else_is_kept(
    tmp_path: Path, settings: Settings
) -> None:
    recipe = recipes.read(written(tmp_path / "recipe", CODE | {"rows.csv": b"1"}))
    (tmp_path / "recipe" / "rows.csv").write_text("2")
    with pytest.raises(BadInput, match=r"rows\.csv has changed"):
        verbs.kept(recipe, settings)
    (tmp_path / "recipe" / "rows.csv").unlink()
    with pytest.raises(NotFound, match=r"rows\.csv.*not there any more"):
        verbs.kept(recipe, settings)
    with pytest.raises(NotFound, match="submit the recipe anew"):
        recipe.write(tmp_path / "machine", settings.recipe_files)


def test_errors_in_a_module_beside_the_recipe_name_it_and_its_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = written(tmp_path / "recipe", CODE | BESIDE | {"nets/deep.py": b"x = 1\nK = 1 / 0\n"})
    with pytest.raises(RecipeError, match=r"nets/deep, line 2: ZeroDivisionError") as caught:
        recipes.load(recipes.read(folder), folder)
    assert (caught.value.field, caught.value.line) == ("nets/deep", 2)
    written(folder, {"nets/deep.py": b"\nK = (\n"})
    with pytest.raises(RecipeError, match=r"nets/deep\.py, line 2"):
        recipes.check(recipes.read(folder))


@pytest.mark.parametrize("prefix", ["", "mine/", "a/b/"])
def test_uploads_hold_the_files_beside_the_code_too(prefix: str, settings: Settings) -> None:
    names = {f"{prefix}{name}": content for name, content in (CODE | BESIDE).items()}
    recipe = verbs.read_upload({"mine.zip": zipped({**names, "__MACOSX/._mine.py": b"?"})}, settings)
    assert [one.path for one in recipe.files] == sorted(BESIDE)
    recipe.write(settings.home / "machine")
    assert tree(settings.home / "machine") == CODE | BESIDE | {"helpers.py": b""}
