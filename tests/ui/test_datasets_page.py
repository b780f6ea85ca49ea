"""The page of data sets without a browser: pieces of a file, a form, what is shown, and what is refused."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chain import threads_end
from tests.datasets import bringing
from tests.ui.pressing import press
from workbench.settings import Settings
from workbench.ui.datasets import DatasetsPage
from workbench.ui.datasets.upload import Upload
from workbench.verbs import datasets
from workbench.verbs.workbench import Workbench, open_store

pytest.importorskip("pyarrow")


@pytest.fixture
def page(settings: Settings) -> Iterator[DatasetsPage]:
    with open_store(settings) as store, threads_end():
        yield DatasetsPage(Workbench(settings, store))


def begin(upload: Upload, name: str, size: int) -> None:
    upload._heard(upload, {"kind": "begin", "name": name, "size": size, "changed": 1}, [])


def piece(upload: Upload, offset: int, content: bytes) -> None:
    upload._heard(upload, {"kind": "piece", "offset": offset}, [memoryview(content)])


def end(upload: Upload) -> None:
    upload._heard(upload, {"kind": "end"}, [])


def test_an_upload_goes_on_where_it_broke_off(tmp_path: Path) -> None:
    taken: list[Path] = []
    refused: list[str] = []
    content = bytes(range(256)) * 50

    def fresh() -> Upload:
        return Upload(tmp_path / "up", 1_000_000, taken.append, refused.append)

    first = fresh()
    begin(first, "../../a b.csv", len(content))
    piece(first, 0, content[:5_000])
    piece(first, 0, content[:5_000])  # once more: it is there already
    second = fresh()
    begin(second, "../../a b.csv", len(content))
    assert second.progress.value == 5_000 / len(content)
    piece(second, 5_000, content[5_000:])
    end(second)
    (path,) = taken
    assert (path.read_bytes(), path.name, path.parent.parent) == (content, "a_b.csv", tmp_path / "up")
    begin(second, "large.zip", 2_000_000)
    begin(second, "half.csv", 100)
    piece(second, 0, b"x" * 50)
    end(second)
    piece(second, 50, b"x" * 50)
    assert ["1,000,000" in said or "did not arrive whole" in said for said in refused] == [True, True]
    assert len(taken) == 1


def test_a_file_becomes_a_data_set_that_is_looked_at_made_a_recipe_of_and_removed(
    page: DatasetsPage, tmp_path: Path
) -> None:
    content = bringing.garden(tmp_path / "g.csv").read_bytes()
    upload = page.form.upload
    begin(upload, "My Garden.csv", len(content))
    piece(upload, 0, content)
    end(upload)
    assert page.form.name.value == "my-garden"
    press(page.form.add)
    assert "my-garden:1 is added" in page.form.message.html
    assert page.choice.value == "my-garden:1"
    assert "wb-columns" in page.look.html
    for text in ("wb-histogram", "no need", "nothing yet", "rain (18)"):
        assert text in page.look.html
    assert list((page.workbench.settings.data / ".uploads").iterdir()) == []
    press(page.recipe.make)
    assert "on a cluster</a>" in page.message.html
    assert (page.workbench.settings.home / "recipes" / "my-garden" / "training.py").is_file()
    press(page.remove)
    assert "my-garden:1 is removed" in page.message.html
    assert page.choice.value is None


@pytest.mark.parametrize(
    ("source", "name", "said"),
    [("", "x", "Choose a file first"), ("/no/such.csv", "x", "There is nothing at"), ("/tmp", "", "name")],
)
def test_what_cannot_be_added_is_said(page: DatasetsPage, source: str, name: str, said: str) -> None:
    page.form.source.value, page.form.name.value = source, name
    press(page.form.add)
    assert said in page.form.message.html


def test_names_and_cells_of_strangers_are_shown_as_text(page: DatasetsPage, tmp_path: Path) -> None:
    rows = "\n".join(f"{n},<b>{n % 2}</b>" for n in range(20))
    (tmp_path / "t.csv").write_text(f"<script>alert(1)</script>,kind\n{rows}\n")
    page.form.source.value, page.form.name.value = str(tmp_path / "t.csv"), "bad"
    press(page.form.add)
    assert page.choice.value == "bad:1"
    assert "wb-columns" in page.look.html
    assert "<script>" not in page.look.html
    assert "<b>" not in page.look.html


def test_what_is_said_under_the_fold_is_heard_and_a_series_may_be_forecast(
    page: DatasetsPage, tmp_path: Path
) -> None:
    rows = "\n".join(f"2024-{n // 28 + 1:02d}-{n % 28 + 1:02d},{n % 7},{n % 5}.5,{n}" for n in range(200))
    (tmp_path / "sales.csv").write_text(f"day,shop,sold,number\n{rows}\n")
    form, choices = page.form, page.form.choices
    form.source.value, form.name.value = str(tmp_path / "sales.csv"), "sales"
    choices.size.value = "large"
    press(form.add)
    assert "96x96" in form.message.html
    choices.size.value, choices.target.value, choices.classes.value = "", "sold", "a number"
    choices.unused.value = "number,"
    choices.split.value, choices.column.value = "drawn by groups", "shop"
    press(form.add)
    assert page.choice.value == "sales:1"
    (made,) = datasets.versions(page.workbench.settings)
    assert (made.split.by, made.split.column) == ("group", "shop")
    assert [c.name for c in made.columns if c.role == "unused"] == ["shop", "number"]
    page.recipe.way.value = "forecast"
    press(page.recipe.make)
    assert "on a cluster</a>" in page.message.html
    assert "WINDOW" in (page.workbench.settings.home / "recipes" / "sales" / "helpers.py").read_text()


def test_a_recipe_of_pictures_may_begin_with_a_net_that_has_learned_others(
    page: DatasetsPage, tmp_path: Path
) -> None:
    page.form.source.value = str(bringing.photos(tmp_path / "photos"))
    page.form.name.value = "animals"
    page.form.choices.size.value = "24x16"
    press(page.form.add)
    assert page.choice.value == "animals:1"
    assert page.recipe.fields.layout.display == ""
    assert page.recipe.way.value == "plain"
    page.recipe.way.value = "backbone"
    press(page.recipe.make)
    assert "Say which net" in page.message.html
    (tmp_path / "net.keras").write_bytes(b"what it has learned")
    page.recipe.backbone.value = str(tmp_path / "net.keras")
    press(page.recipe.make)
    assert "on a cluster</a>" in page.message.html
    folder = page.workbench.settings.home / "recipes" / "animals"
    assert (folder / "backbone.keras").read_bytes() == b"what it has learned"
    assert "(16, 24, 3)" in (folder / "training.py").read_text()
