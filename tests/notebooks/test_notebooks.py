"""The notebooks as files, as recipes, and run top to bottom."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import keras
import nbformat
import numpy as np
import pytest

import workbench
from tests.browser import made_models
from workbench import artifact, recipes
from workbench.models import registry
from workbench.settings import PROJECT, from_environment
from workbench.verbs.workbench import open_store

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
MOST_LINES = 12


def code(notebook: Path) -> list[dict[str, Any]]:
    cells = json.loads(notebook.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_committed_without_outputs_and_with_cell_ids(notebook: Path) -> None:
    nbformat.validate(nbformat.read(notebook, as_version=4))
    for cell in code(notebook):
        assert cell["outputs"] == []
        assert cell["execution_count"] is None
    ids = [cell["id"] for cell in json.loads(notebook.read_text())["cells"]]
    assert len(set(ids)) == len(ids)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_cells_are_short_and_define_no_classes(notebook: Path) -> None:
    for cell in code(notebook):
        lines = [line for line in source(cell).splitlines() if line.strip()]
        assert len(lines) <= MOST_LINES, cell["id"]
        assert not re.search(r"^class |^(for|while) ", source(cell), re.MULTILINE), cell["id"]


def test_the_default_recipe_is_the_tagged_cells_byte_for_byte() -> None:
    cells = code(recipes.DEFAULT)
    recipe = recipes.read(recipes.DEFAULT)
    for field in recipes.FIELDS:
        tagged = [source(cell) for cell in cells if field in cell["metadata"].get("tags", [])]
        assert tagged, f"no cell is tagged {field}"
        assert getattr(recipe, field) == "\n\n".join(tagged)


def test_the_default_recipe_imports_nothing_that_a_machine_has_not() -> None:
    recipe = recipes.read(recipes.DEFAULT)
    imported = set()
    for field in recipes.FIELDS:
        for node in ast.walk(ast.parse(getattr(recipe, field))):
            if isinstance(node, ast.Import):
                imported |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                imported |= {f"{node.module}.{alias.name}" for alias in node.names}
    assert imported == {
        "os",
        "tensorflow",
        "keras",
        "keras.layers",
        "keras.ops",
        "workbench.datasets",
        "workbench.layers.MeanOfViews",
        "workbench.layers.Views",
    }


def test_the_default_recipe_makes_a_compiled_model_whose_rate_ends_with_the_training(tmp_path: Path) -> None:
    program = recipes.load(recipes.read(recipes.DEFAULT), tmp_path)
    assert (program.epochs, program.batch_size, program.labels) == (3, 128, tuple("0123456789"))
    model = program.set_epochs(5).build_model()
    assert model.compiled
    assert model.output_shape == (None, 10)
    rate = model.optimizer._learning_rate
    steps = 5 * (90_000 // 128)
    assert float(rate(steps)) == pytest.approx(0, abs=1e-6)
    assert float(rate(steps // 2)) > 1e-3


def test_what_happens_to_pictures_keeps_their_shape_and_range(tmp_path: Path) -> None:
    augment = recipes.load(recipes.read(recipes.DEFAULT), tmp_path).augment
    assert augment is not None
    keras.utils.set_random_seed(0)
    x = np.zeros((64, 28, 28, 1), np.float32)
    x[:, 8:20, 12:16] = 255
    changed = np.asarray(augment(x))
    assert changed.shape == x.shape
    assert changed.dtype == np.float32
    assert 0 <= changed.min() <= changed.max() <= 255
    assert len({picture.tobytes() for picture in changed}) == 64
    # Bent, not lost: most of the ink is still there.
    assert (changed.sum((1, 2, 3)) > 0.6 * x[0].sum()).all()


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_each_cell_of_code_says_what_it_is_before_it_is_unfolded(notebook: Path) -> None:
    captions = [cell["metadata"].get("caption") for cell in code(notebook)]
    assert all(captions)
    assert len(set(captions)) == len(captions)


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_what_is_no_recipe_uses_the_public_api_alone(notebook: Path) -> None:
    if notebook == recipes.DEFAULT:
        return  # it makes a network, and says how in its own code
    for cell in code(notebook):
        for node in ast.walk(ast.parse(source(cell))):
            if isinstance(node, ast.ImportFrom):
                assert not (node.module or "").startswith("workbench"), cell["id"]
            if (
                isinstance(node, ast.Attribute)
                and isinstance(node.value, ast.Name)
                and node.value.id == "workbench"
            ):
                assert node.attr in workbench.__all__


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.name)
def test_cells_show_and_test_nothing(notebook: Path) -> None:
    for cell in code(notebook):
        assert not [n for n in ast.walk(ast.parse(source(cell))) if isinstance(n, ast.Assert)], cell["id"]


def run(name: str, folder: Path, *checks: str, **environment: str) -> Path:
    """Run a copy of the notebook top to bottom, and the checks after its last cell; its home."""
    copies, home = Path(shutil.copytree(PROJECT / "notebooks", folder / "notebooks")), folder / "home"
    notebook = nbformat.read(copies / name, as_version=4)
    notebook.cells += [nbformat.v4.new_code_cell(check) for check in checks]
    nbformat.write(notebook, copies / name)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--nbval-lax",
        "--nbval-kernel-startup-timeout=300",
        "-p",
        "no:cacheprovider",
        str(copies / name),
    ]
    environment = {**os.environ, "WORKBENCH_HOME": str(home), "TMPDIR": str(folder), **environment}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=PROJECT)
    assert done.returncode == 0, done.stdout[-5000:]
    return home


def test_the_tutorial_runs_top_to_bottom_and_publishes_a_model(tmp_path: Path, data: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "data").symlink_to(data)
    home = run(
        "00-mnist-cnn.ipynb",
        tmp_path,
        "assert x_train.shape == (EXAMPLES, 28, 28, 1)",
        "assert set(y_train) == set(range(10))",
        "assert network().count_params() < 100_000",
        "assert result.value.low > 0.7",
        "assert len(nine.value.probabilities) == 10",
        "assert str(version.value) == 'mnist-cnn:1'",
        "assert not deployed.ready",
        WORKBENCH_SMALL="1",
    )
    (version,) = registry.versions(from_environment({"WORKBENCH_HOME": str(home)}))
    assert str(version) == "mnist-cnn:1"
    assert artifact.verify(version.folder).metrics["accuracy"] > 0.7


def test_the_clusters_page_runs_top_to_bottom_and_starts_nothing(tmp_path: Path) -> None:
    home = run(
        "deploy_cluster.ipynb",
        tmp_path,
        "from workbench import recipes\nfrom workbench.settings import from_environment\nfrom workbench.ui import parts",
        "page = parts.cluster_page(from_environment())",
        "assert page.request.recipe == recipes.read(recipes.DEFAULT)",
        "assert not job.ready",
        'assert page.jobs.table.page["total"] == page.workbench.store.page().total == 0',
    )
    with open_store(from_environment({"WORKBENCH_HOME": str(home)})) as store:
        assert store.page().total == 0


def test_the_serving_page_runs_top_to_bottom_without_a_back_end(tmp_path: Path) -> None:
    settings = from_environment({"WORKBENCH_HOME": str(tmp_path / "home")})
    for answer in (1, 2):
        made_models.publish(settings, answer)
    run(
        "serve_and_predict.ipynb",
        tmp_path,
        "from workbench.settings import from_environment\nfrom workbench.ui import parts",
        'rows = parts.serving_page(from_environment()).models.table.page["rows"]\n'
        'assert {row["key"] for row in rows} == {"mnist-cnn:1", "mnist-cnn:2"}',
    )
    assert len(registry.versions(settings)) == 2
