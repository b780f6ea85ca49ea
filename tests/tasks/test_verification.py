"""What is published of a model's quality is measured where none of the recipe's code runs, whatever that code says."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from tests.chain import wait_until
from tests.tasks.test_check import IMPORTED
from workbench.errors import ModelRefused
from workbench.machines import Layout
from workbench.machines.local.provider import LocalProvider
from workbench.models import held_out, published_evaluation
from workbench.models.published_evaluation import PublishedClassification
from workbench.recipes import Recipe
from workbench.runner import folders
from workbench.settings import Settings
from workbench.tasks import check as checks
from workbench.tasks import verification
from workbench.tasks.verification import Measured

DATA = """
import numpy as np

def load_data():
    order = np.random.permutation(200)  # by chance, as many split
    x, y = np.random.normal(size=(200, 4)).astype("float32"), np.arange(200) % 4
    x, y = x[order], y[order].astype("int64")
    return (x[:120], y[:120]), (x[120:], y[120:])
"""
MODEL = """
import json
import keras
import numpy as np

import workbench.models.evaluation as evaluation
import workbench.node.role as role

EPOCHS, BATCH_SIZE, LABELS = 1, 60, ["a", "b", "c", "d"]

def build_model():  # it answers each class alike, so the first one is its answer
    zeros = keras.layers.Dense(4, activation="softmax", kernel_initializer="zeros")
    model = keras.Sequential([keras.Input((4,)), zeros])
    model.compile(keras.optimizers.SGD(0.0), "sparse_categorical_crossentropy")
    return model

evaluate, export = evaluation.evaluate, role._export

def all_right(predict, test, labels=(), **more):
    predict(test[0])
    told = evaluate(lambda x: np.eye(4, dtype="float32")[test[1]], test, labels, **more)
    return type(told)(**{**vars(told), "outputs": np.asarray(predict(test[0]))})

def all_well(folder, write):
    export(folder, write)
    told = json.loads((folder / "fields.json").read_text())
    assert told["metrics"]["accuracy"] == 1.0
    told["metrics"] = {"accuracy": 1.0, "low": 1.0, "high": 1.0, "loss": 0.0, "invented": 7}
    told["output"] = {"kind": "invented", "shape": [1000]}
    (folder / "fields.json").write_text(json.dumps(told))

evaluation.evaluate, role._export = all_right, all_well
"""
"""A model that knows nothing, in a recipe that says otherwise in every way it has."""
CHANCE = DATA.replace("import numpy as np\n", "import os\nimport numpy as np\n").replace(
    "def load_data():", "def load_data():\n    np.random.seed(int.from_bytes(os.urandom(4), 'big'))"
)
_numbers = count(500)


@dataclass(frozen=True)
class Trained:
    folder: Path
    expected: str
    settings: Settings

    def measure(
        self, deed: Callable[[Path], object] = lambda folder: None, expected: str | None = None
    ) -> Measured:
        """Do the deed in a copy of the job's folder, then measure the export there."""
        folder = self.settings.home / "jobs" / str(next(_numbers))
        shutil.copytree(self.folder, folder, ignore=shutil.ignore_patterns("machines", "checkpoints"))
        deed(folder)
        provider = LocalProvider(self.settings, imported=IMPORTED)
        try:
            found = verification.measure(folder, provider, self.expected if expected is None else expected)
            told = published_evaluation.read(folder / "export")
            assert isinstance(told, PublishedClassification)
            assert told.accuracy == found.metrics["accuracy"]
            return found
        finally:
            shutil.rmtree(folder)


@pytest.fixture(scope="module")
def trained(settings: Settings) -> Iterator[Trained]:
    """The folder of a job whose recipe says that its model is always right, when its machines are gone."""
    recipe = Recipe("", DATA, MODEL)
    provider = LocalProvider(settings, imported=IMPORTED)
    expected = checks.check(recipe, settings, provider=provider).held_out
    folder = settings.home / "jobs" / "499"
    recipe.write(folder / "recipe")
    told = {
        "job": 499,
        "name": "t",
        "epochs": None,
        "seed": 0,
        "ps": 0,
        "workers": 1,
        "attempt": 1,
        "origin": 1,
    }
    (folder / "job.json").write_text(json.dumps(told))
    provider.launch("job-499", Layout(0, 1), folder)
    try:
        wait_until(lambda: provider.machines("job-499")[0].state != "running", 240, "the training")
        words = (folder / "machines" / "worker-0" / "stderr.log").read_text()
    finally:
        provider.terminate("job-499")
    assert folders.has_export(folder), words
    yield Trained(folder, expected, settings)
    shutil.rmtree(folder)


def honest(path: Path) -> tuple[float, np.ndarray, np.ndarray]:
    x, y = held_out.read(path)
    return float((y == 0).mean()), x, y


def test_the_figures_are_measured_and_not_the_recipes_word(trained: Trained) -> None:
    right, x, y = honest(trained.folder / held_out.FILE)

    found = trained.measure()

    assert trained.expected == held_out.digest(
        x, y
    )  # a split by chance is the same in the check and in the job
    assert found.metrics["accuracy"] == right < 0.5
    assert set(found.metrics) == {"accuracy", "low", "high", "loss"}
    assert found.output is not None
    assert (found.output.kind, found.output.shape) == ("probabilities", (4,))
    assert found.said == ""


def zeros_are_the_truth(folder: Path) -> None:
    x, y = held_out.read(folder / held_out.FILE)
    held_out.write(folder / held_out.FILE, x, np.zeros_like(y))


def replaced_by(make: Callable[[Path], object]) -> Callable[[Path], None]:
    def deed(folder: Path) -> None:
        (folder / held_out.FILE).unlink()
        make(folder / held_out.FILE)
        if not os.path.lexists(folder / held_out.AGAIN):
            (folder / held_out.AGAIN).symlink_to("/etc/hostname")

    return deed


@pytest.mark.parametrize(
    ("deed", "said"),
    [
        (zeros_are_the_truth, "is not what load_data() gives"),
        (replaced_by(lambda path: path.symlink_to("/etc/hostname")), ""),
        (replaced_by(lambda path: np.savez(path, x=np.array([{}]), y=np.zeros(1))), ""),
    ],
)
def test_a_held_out_part_of_the_recipes_own_making_is_not_the_one_that_counts(
    trained: Trained, deed: Callable[[Path], None], said: str
) -> None:
    right, *_ = honest(trained.folder / held_out.FILE)

    found = trained.measure(deed)

    assert found.metrics["accuracy"] == right
    assert said in found.said


def test_a_part_that_is_another_one_each_time_is_measured_and_told(trained: Trained) -> None:
    right, *_ = honest(trained.folder / held_out.FILE)

    found = trained.measure(
        lambda folder: (folder / "recipe" / "preprocessing.py").write_text(CHANCE), expected="0" * 64
    )

    assert found.metrics["accuracy"] == right
    assert "give the split a seed" in found.said


def test_without_any_held_out_part_nothing_is_published(trained: Trained) -> None:
    def deed(folder: Path) -> None:
        (folder / held_out.FILE).unlink()
        (folder / "recipe" / "preprocessing.py").write_text(
            "def load_data():\n    raise ValueError('no more')\n"
        )

    with pytest.raises(ModelRefused, match="no more"):
        trained.measure(deed)


def test_what_the_machines_said_of_the_evaluation_is_written_anew(trained: Trained) -> None:
    def deed(folder: Path) -> None:
        (folder / "export" / "evaluation.json").write_text("[" * 100_000)
        (folder / "export" / "confusion.svg").unlink()
        (folder / "export" / "confusion.svg").mkdir()

    with pytest.raises(ModelRefused, match="confusion"):
        trained.measure(deed)
    assert trained.measure(lambda folder: (folder / "export" / "evaluation.json").write_text("{}")).metrics


def test_nothing_is_written_through_a_link(trained: Trained) -> None:
    aim = trained.settings.home / "jobs" / "aim"

    def deed(folder: Path) -> None:
        aim.write_text("as it was")
        aim.chmod(0o666)
        (folder / "export" / "evaluation.json").unlink()
        (folder / "export" / "evaluation.json").symlink_to(aim)

    with pytest.raises(ModelRefused, match="no plain file"):
        trained.measure(deed)
    assert aim.read_text() == "as it was"
    aim.unlink()


def test_a_fifo_in_the_place_of_the_export_is_told_and_not_waited_for(trained: Trained) -> None:
    def deed(folder: Path) -> None:
        (folder / "export" / "examples.npz").unlink()
        os.mkfifo(folder / "export" / "examples.npz")

    with pytest.raises(ModelRefused, match=r"examples\.npz"):
        trained.measure(deed)
