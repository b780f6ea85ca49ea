"""Retraining: which version it goes on from, and the recipe that does."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.browser import made_models
from tests.chain import make_settings
from workbench import cli, datasets, recipes
from workbench.backends.fake import FakeBackEnd
from workbench.errors import NotFound
from workbench.manifest import write_listing
from workbench.models import registry
from workbench.recipes import Recipe
from workbench.settings import Settings
from workbench.ui.serving.models import views as version_views
from workbench.verbs import retraining
from workbench.verbs.workbench import open_store

PLAIN = Recipe("", "def load_data():\n    return 1, 2\n", "def build_model():\n    return 5\n")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = make_settings(tmp_path / "home")
    for answer in (1, 2, 3):
        made_models.publish(settings, answer)
    return settings


def deploy(backend: FakeBackEnd, reference: str, settings: Settings) -> None:
    backend.deploy(registry.find(reference, settings), anyway=True)


def test_a_retraining_goes_on_from_the_version_that_serves_not_from_the_newest(settings: Settings) -> None:
    backend = FakeBackEnd()
    deploy(backend, "mnist-cnn:1", settings)
    backend.correct(4, 7)
    (id_,) = [c.id for c in backend.corrections().corrections]
    backend.review([id_], "accept")
    with open_store(settings) as store:
        prepared = retraining.prepare(backend, settings, store)
    assert str(prepared.parent) == "mnist-cnn:1"
    assert 'continue_from("mnist-cnn:1", build_model_anew())' in prepared.recipe.training
    assert "datasets.corrections()" in prepared.recipe.preprocessing
    assert datasets.find_parent("mnist-cnn:1", settings).is_file()
    assert prepared.corrections.ids == (id_,)
    recipes.check(prepared.recipe)


def test_after_a_rollback_it_is_the_version_that_serves_again(settings: Settings) -> None:
    backend = FakeBackEnd()
    deploy(backend, "mnist-cnn:2", settings)
    deploy(backend, "mnist-cnn:3", settings)
    backend.rollback("mnist-cnn")
    assert str(retraining.version_to_go_on_from(backend, settings)) == "mnist-cnn:2"


def test_where_nothing_serves_it_is_the_newest(settings: Settings) -> None:
    assert str(retraining.version_to_go_on_from(FakeBackEnd(), settings)) == "mnist-cnn:3"


def test_a_version_that_serves_and_is_not_here_is_named_and_nothing_else_stands_in_for_it(
    settings: Settings,
) -> None:
    backend = FakeBackEnd()
    deploy(backend, "mnist-cnn:2", settings)
    shutil.rmtree(settings.models / "mnist-cnn" / "2")
    with pytest.raises(NotFound, match="mnist-cnn:2 serves, but is not among this computer's versions"):
        retraining.version_to_go_on_from(backend, settings)


def test_a_retraining_of_a_retraining_goes_on_from_the_newer_one_alone(settings: Settings) -> None:
    one, two = (registry.find(f"mnist-cnn:{n}", settings) for n in (1, 2))
    first = retraining.continuing(PLAIN, one, settings)
    again = retraining.continuing(first, two, settings)
    assert again == retraining.continuing(PLAIN, two, settings)
    assert "mnist-cnn:1" not in again.training
    assert again.training.count("continue_from(") == 1
    assert again.training.startswith(PLAIN.training)


@pytest.mark.parametrize(("pictures", "drawn", "times"), [(2000, 5, 20), (2000, 100, 4), (200, 100, 1)])
def test_drawings_come_often_enough_to_be_learned_and_never_drown_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: int, drawn: int, times: int
) -> None:
    settings = make_settings(tmp_path / "home")
    monkeypatch.setenv("WORKBENCH_HOME", str(settings.home))
    folder = tmp_path / "export"
    folder.mkdir()
    x = np.full((drawn, 28, 28), 255, np.uint8)
    np.savez(folder / "corrections.npz", x=x, y=np.ones(drawn), predicted=np.zeros(drawn))
    write_listing(folder, {"corrections": [{"id": f"{n:064}"} for n in range(drawn)]})
    datasets.add_corrections(folder, settings)
    code = f"""
import numpy as np

def load_data():
    part = np.zeros(({pictures}, 28, 28, 1), np.float32), np.zeros({pictures}, int)
    part[0][0] = 1
    return part, part
"""
    recipe = retraining.with_corrections(Recipe("", code, PLAIN.training))
    assert retraining.with_corrections(recipe) == recipe
    (x, y), (x_test, _) = recipes.load(recipe, tmp_path / "recipe").load_data()
    assert (len(x), len(y), len(x_test)) == (pictures + times * drawn, len(x), pictures)
    assert x.max() == 1
    assert int(y.sum()) == times * drawn


@pytest.mark.parametrize(
    ("parent", "told"),
    [
        ({"start": "weights"}, ["mnist-cnn:1, by its weights", "20 of 30 right before, 29 after"]),
        (
            {"start": "recipe", "why": "it is built in another way"},
            ["mnist-cnn:1, only by its recipe: it is built"],
        ),
    ],
)
def test_a_version_tells_what_it_went_on_from_and_whom_it_reads_better(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    parent: dict[str, str],
    told: list[str],
) -> None:
    aside = {"before": {"right": 20, "of": 30}, "after": {"right": 29, "of": 30}}
    writers = {"learned": 3, "drawings": 90, "same": aside}
    made_models.publish(
        settings,
        4,
        corrections={"version": 1, "used": ["a"], "writers": writers},
        parent={"name": "mnist-cnn", "version": 1, **parent},
    )
    version = registry.find("mnist-cnn:4", settings)
    assert version.manifest.corrections is not None
    assert version.manifest.corrections.replaced == 1, (
        "compared with what it went on from, not with the newest"
    )
    monkeypatch.setenv("WORKBENCH_HOME", str(settings.home))
    assert cli.main(["model", "mnist-cnn"]) == 0
    said = capsys.readouterr().out
    for text in told:
        assert text in said
    html = version_views.head(version, "")
    assert "went on from mnist-cnn:1" in html or "with the recipe of mnist-cnn:1" in html
