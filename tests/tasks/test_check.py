"""The dry run of recipes: what is wrong is said with the user's own file, line and field, before a machine starts."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.chain import make_settings
from tests.packages import made
from workbench.errors import ModelRefused, RecipeError
from workbench.machines.local.processes import living
from workbench.machines.local.provider import LocalProvider
from workbench.models import held_out
from workbench.recipes import Recipe, beside
from workbench.settings import Settings
from workbench.tasks import check as checks
from workbench.tasks import verification

IMPORTED = ("workbench.node.trial", "workbench.node.training", "workbench.node.export")
DATA = """
import numpy as np

def load_data():
    x = np.arange(400, dtype="float32").reshape(100, 4) / 400
    y = (np.arange(100) % 3).astype("int64")
    return (x[:80], y[:80]), (x[80:], y[80:])
"""
MODEL = """
import keras

BATCH_SIZE = 8

def build_model():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model
"""


def check(
    settings: Settings, preprocessing: str = DATA, training: str = MODEL, helpers: str = "", **more: Any
) -> checks.Checked:
    provider = LocalProvider(settings, imported=IMPORTED)
    return checks.check(Recipe(helpers, preprocessing, training), settings, provider=provider, **more)


def refused(settings: Settings, *sources: str, **more: Any) -> RecipeError:
    with pytest.raises(RecipeError) as caught:
        check(settings, *sources, **more)
    return caught.value


def test_a_recipe_that_works_is_described(settings: Settings) -> None:
    found = check(settings)
    assert found.step_s > 0
    x = np.arange(400, dtype="float32").reshape(100, 4) / 400
    assert found == checks.Checked(
        examples=80,
        test_examples=20,
        input_shape=(4,),
        output_shape=(3,),
        steps_per_epoch=9,
        parameters=15,
        largest=12,
        epochs=3,
        batch_size=8,
        step_s=found.step_s,
        held_out=held_out.digest(x[80:], (np.arange(100) % 3)[80:]),
    )


def test_files_modules_and_packages_are_there_by_their_names(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.index(tmp_path / "index", monkeypatch)
    module = f"import tiny_rows\nfrom pathlib import Path\nassert Path('data/a.txt').read_text() == Path(__file__).read_text()\n{DATA}"
    files = beside.keep({"mine.py": module.encode(), "data/a.txt": module.encode()}, settings.recipe_files)
    recipe = Recipe("", "from mine import load_data\n", MODEL, "tiny-rows<1.2\n", files)
    provider = LocalProvider(settings, imported=IMPORTED)
    assert checks.check(recipe, settings, provider=provider).examples == 80


def test_nothing_is_left_of_a_check(settings: Settings) -> None:
    check(settings)

    assert living(settings.home) == []
    assert list((settings.home / "jobs").iterdir()) == []


def test_an_error_in_a_function_of_the_helpers_shows_their_line(settings: Settings) -> None:
    helpers = "def scale(x):\n    return x / undefined\n"

    error = refused(settings, "def load_data():\n    return scale(1)\n", MODEL, helpers)

    assert (error.field, error.line) == ("helpers", 2)
    assert str(error) == "helpers, line 2: NameError: name 'undefined' is not defined"
    assert '  File "preprocessing.py", line 2, in load_data\n    return scale(1)\n' in error.traceback
    assert str(settings.home) not in error.traceback


def test_a_syntax_error_needs_no_machine(settings: Settings) -> None:
    error = refused(settings, DATA, "def build_model(:\n")

    assert (error.field, error.line) == ("training", 1)


def test_a_missing_name_is_named(settings: Settings) -> None:
    assert "preprocessing must define load_data()" in str(refused(settings, "x = 1"))


@pytest.mark.parametrize(
    "body",
    [
        "def load_data():\n    yield 1",
        "def load_data():\n    return (i for i in range(9)), ([1], [1])",
        "import tensorflow as tf\ndef load_data():\n"
        "    d = tf.data.Dataset.from_generator(lambda: iter([1.0]), output_signature=tf.TensorSpec(()))\n"
        "    d = d.map(lambda x: (x, x)).apply(tf.data.experimental.assert_cardinality(1))\n    return d, d",
    ],
    ids=["yields", "gives generators", "a tf.data generator"],
)
def test_python_generators_are_refused_with_advice(settings: Settings, body: str) -> None:
    error = refused(settings, body)

    assert error.field == "preprocessing"
    assert "enerator" in str(error) or "Python" in str(error)
    assert "return" in str(error)


def test_a_model_that_does_not_take_the_data_is_refused(settings: Settings) -> None:
    error = refused(settings, DATA, MODEL.replace("(4,)", "(5,)"))

    assert error.field == "training"
    assert "(4,)" in str(error)


def test_a_model_that_is_not_compiled_is_refused(settings: Settings) -> None:
    error = refused(settings, DATA, MODEL.replace("    model.compile", "    # model.compile"))

    assert (error.field, "compile" in str(error)) == ("training", True)


def test_classes_that_the_model_has_no_output_for_are_refused(settings: Settings) -> None:
    error = refused(settings, DATA.replace("% 3", "% 4"), MODEL)

    assert "classes 0 to 3, the model has 3 outputs" in str(error)


def test_labels_must_be_as_many_as_outputs(settings: Settings) -> None:
    assert "LABELS has 2 texts, the model has 3 outputs" in str(
        refused(settings, DATA, f"{MODEL}\nLABELS = ['a', 'b']")
    )


def test_an_augmentation_that_changes_the_shape_is_refused(settings: Settings) -> None:
    error = refused(settings, DATA, f"{MODEL}\ndef augment(x):\n    return x[:, :2]\n")

    assert "augment" in str(error)
    assert "(8, 4)" in str(error)
    assert "(8, 2)" in str(error)


def test_a_recipe_that_calls_exit_is_told_so(settings: Settings) -> None:
    error = refused(settings, "def load_data():\n    import sys\n    sys.exit(0)\n")

    assert (error.field, error.line) == ("preprocessing", 3)
    assert "SystemExit" in str(error)


def test_a_recipe_that_ends_its_process_is_told_so(settings: Settings) -> None:
    error = refused(settings, "import os\nprint('words')\ndef load_data():\n    os._exit(0)\n")

    assert "ended the process it ran in: exit code 0" in str(error)


def test_a_recipe_that_hangs_is_shown_where(settings: Settings) -> None:
    error = refused(settings, "import time\ndef load_data():\n    time.sleep(1000)\n", timeout_s=8.0)

    assert (error.field, error.line) == ("preprocessing", 3)
    assert "not done with its first batch after 8 s of work" in str(error)


def test_a_recipe_that_eats_memory_is_told_so(settings: Settings) -> None:
    error = refused(settings, "import numpy as np\ndef load_data():\n    return np.ones((10**6, 10**6))\n")

    assert (error.field, error.line) == ("preprocessing", 3)
    assert "memory" in str(error)


def test_a_recipe_does_not_see_the_homes_secrets(settings: Settings) -> None:
    token = settings.token
    look = f"import os\nassert not os.path.exists({str(settings.home / 'token')!r}), 'seen'\nassert {token!r} not in str(os.environ)\n"

    check(settings, look + DATA)


def test_an_exported_model_that_cannot_be_loaded_is_refused(settings: Settings) -> None:
    folder = settings.home / "jobs" / "99"
    (folder / "export").mkdir(parents=True)
    held_out.write(folder / held_out.FILE, np.zeros((3, 4)), np.zeros(3))
    (folder / "export" / "evaluation.json").write_text(
        json.dumps({"count": 3, "mean_error": 0.5, "root_mean_square_error": 0.7})
    )

    with pytest.raises(ModelRefused, match=r"examples\.npz"):
        verification.measure(folder, LocalProvider(settings, imported=IMPORTED), "")


def test_only_named_data_sets_are_fetched(tmp_path: Path) -> None:
    checks.fetch_data(Recipe("", "x = 'not-a-data-set'", ""), make_settings(tmp_path))

    assert not (tmp_path / "data").exists()


def test_a_model_that_could_not_be_published_fails_at_its_line_before_it_is_trained(
    settings: Settings,
) -> None:
    layer = "keras.layers.Lambda(lambda t: t / 2), keras.layers.Dense"

    error = refused(settings, DATA, MODEL.replace("keras.layers.Dense", layer))

    assert (error.field, error.line) == ("training", 7)
    assert "could not be published" in str(error)
    assert "Rescaling" in str(error)


def test_data_that_cannot_be_trained_on_is_told_with_the_line_of_its_function(settings: Settings) -> None:
    error = refused(settings, DATA.replace("    return", "    x[3, 1] = np.nan\n    return"))

    assert (error.field, error.line) == ("preprocessing", 4)
    assert "in x, first in example 3 at [1]" in str(error)
