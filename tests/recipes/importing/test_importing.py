"""A notebook with ``model.fit`` becomes a recipe: which cells are which field, and what is said about the rest."""

import ast
import json
from pathlib import Path

import pytest

from tests.recipes.importing.notebooks import ALL, PICTURES, notebook, proposed, said
from workbench import recipes
from workbench.cli import main
from workbench.errors import BadInput
from workbench.recipes.importing import propose

FIT = "model = keras.Sequential([keras.layers.Dense(1)])\nmodel.compile('sgd', 'mse')\n"
DATA = "import keras, numpy as np, tensorflow as tf\nx, y = np.ones((10, 2)), np.ones(10)\n"


@pytest.mark.parametrize("kind", ALL)
def test_what_comes_out_is_a_recipe_without_a_trace_of_what_only_a_notebook_runs(kind: str) -> None:
    recipe = proposed(*ALL[kind]).recipe
    text = recipe.helpers + recipe.preprocessing + recipe.training
    for left in (
        "plt.",
        "%matplotlib",
        "%%time",
        "!pip",
        ".fit(",
        ".evaluate(",
        "scope()",
        "drive.mount",
        "summary()",
        "print(",
    ):
        assert left not in text


def test_each_cell_is_told_its_field_and_what_is_left_out_with_a_word() -> None:
    found = proposed(*PICTURES)
    assert found.cells == {
        1: (),
        2: ("helpers",),
        3: ("helpers", "preprocessing"),
        4: (),
        5: ("training",),
        6: ("training",),
        7: (),
        8: ("preprocessing",),
    }
    assert said(found, "%matplotlib inline is left out")
    assert said(found, "validation_split is left out")
    assert said(found, "ModelCheckpoint is left out")
    assert said(found, "cells 1, 4, 7: not needed to train")
    assert "PATIENCE = 3\nLABELS = class_names" in found.recipe.training
    assert "EPOCHS = 2\nBATCH_SIZE = 20" in found.recipe.training
    assert "# Scale, and make rows" in found.recipe.preprocessing
    assert found.recipe.requirements == ""


def test_data_sets_that_are_ours_are_taken_from_here_and_others_are_told() -> None:
    ours = proposed(
        "import keras\n(a, b), (c, d) = keras.datasets.fashion_mnist.load_data()",
        FIT,
        "model.fit(a, b, epochs=3)\nmodel.evaluate(c, d)",
    )
    assert '= datasets.load("fashion-mnist")' in ours.recipe.preprocessing
    assert "from workbench import datasets" in ours.recipe.helpers
    other = proposed(
        "import keras\n(a, b), (c, d) = keras.datasets.cifar10.load_data()",
        FIT,
        "model.fit(a, b)\nmodel.evaluate(c, d)",
    )
    assert said(other, "fetches from the network, which machines have not: workbench data add")


def test_packages_that_are_not_here_become_requirements() -> None:
    found = proposed(
        "!pip install -q 'pandas>=2' tensorflow",
        "import pandas as pd, keras\nfrom sklearn.utils import shuffle\nimport json, seaborn\nt = shuffle(pd.read_csv('t.csv'))\nx, y = t.values[:, :2], t.values[:, 2]",
        FIT,
        "model.fit(x, y)",
    )
    assert found.recipe.requirements.splitlines()[0] == "pandas>=2"
    assert "scikit-learn" in found.recipe.requirements
    assert "tensorflow" not in found.recipe.requirements
    assert "every fifth example is held out" in " ".join(found.notes)
    assert "return split(x, y)" in found.recipe.preprocessing


def test_a_line_of_pips_that_is_refused_takes_no_other_with_it() -> None:
    found = proposed(
        "!pip install git+https://example.com/net.git\n!pip install polars\n!pip install rich polars",
        DATA,
        FIT,
        "model.fit(x, y)",
    )
    assert found.recipe.requirements.splitlines() == ["polars", "rich"]
    assert said(found, "pip install git+https://example.com/net.git did not become requirements")


@pytest.mark.parametrize(
    ("fit", "training"),
    [
        ("model.fit(x, y)", "EPOCHS = 1\nBATCH_SIZE = 32"),
        ("n = 7\nmodel.fit(x=x, y=y, epochs=n, batch_size=4)", "EPOCHS = 7\nBATCH_SIZE = 4"),
        ("h = model.fit(x, y, 8, 9)", "EPOCHS = 9\nBATCH_SIZE = 8"),
        (
            "d = tf.data.Dataset.from_tensor_slices((x, y)).batch(16)\nmodel.fit(d)",
            "EPOCHS = 1\nBATCH_SIZE = 16",
        ),
        ("w = {0: 1.0, 1: 2.5}\nmodel.fit(x, y, class_weight=w)", "CLASS_WEIGHT = {0: 1.0, 1: 2.5}"),
        (
            "from keras.callbacks import EarlyStopping\nmodel.fit(x, y, callbacks=EarlyStopping(patience=5))",
            "PATIENCE = 5",
        ),
    ],
)
def test_what_fit_is_told_becomes_settings(fit: str, training: str) -> None:
    assert training in proposed(DATA, FIT, fit).recipe.training


@pytest.mark.parametrize(
    ("cells", "setting"),
    [
        (
            (
                "counts = np.bincount(y)\nw = {0: 1.0 / counts[0], 1: 1.0 / counts[1]}",
                "model.fit(x, y, class_weight=w)",
            ),
            "CLASS_WEIGHT = data().w\n",
        ),
        (
            (
                "def weigh(y):\n    return len(y) / np.bincount(y)",
                "model.fit(x, y, class_weight=dict(enumerate(weigh(y))))",
            ),
            "CLASS_WEIGHT = dict(enumerate(weigh(data().y)))\n",
        ),
    ],
)
def test_weights_of_classes_are_computed_of_the_data_as_in_the_notebook(
    cells: tuple[str, ...], setting: str, tmp_path: Path
) -> None:
    data = "import keras, numpy as np\nx, y = np.ones((10, 2)), np.array([0] * 8 + [1] * 2)\n"
    found = proposed(data, FIT, *cells, "model.evaluate(x, y)")
    assert setting in found.recipe.training
    assert recipes.load(found.recipe, tmp_path / "program").class_weight in (
        {0: 0.125, 1: 0.5},
        {0: 1.25, 1: 5.0},
    )
    assert not said(found, "is computed")


def test_weights_of_classes_that_nothing_defines_are_left_to_be_written() -> None:
    found = proposed(DATA, FIT, "model.fit(x, y, class_weight=weights)")
    assert said(found, "class_weight=weights is computed: write CLASS_WEIGHT")


def test_callbacks_that_a_recipe_may_have_go_along_with_what_they_name() -> None:
    found = proposed(
        DATA,
        FIT,
        "def slower(epoch, rate):\n    return rate / 2",
        "from keras.callbacks import LearningRateScheduler as L, ReduceLROnPlateau",
        "each = [keras.callbacks.LearningRateScheduler(slower)]\neach.append(ReduceLROnPlateau(patience=2))",
        "model.fit(x, y, callbacks=each)",
    )
    assert "CALLBACKS = [" in found.recipe.training
    for part in ("keras.callbacks.LearningRateScheduler(slower)", "ReduceLROnPlateau(patience=2)"):
        assert part in found.recipe.training
    assert "def slower" in found.recipe.helpers
    assert not said(found, "is made by no cell")


def test_weights_of_examples_go_with_the_data() -> None:
    found = proposed(
        DATA + "w = np.ones(10)", FIT, "model.fit(x, y, sample_weight=w)\nmodel.evaluate(x[5:], y[5:])"
    )
    assert "return (x, y, w), (x[5:], y[5:])" in found.recipe.preprocessing


@pytest.mark.parametrize(
    ("cell", "note"),
    [
        ("%%bash\nls", "cell 3 is left out, it is %%bash"),
        ("!wget https://example.com/x.zip", "!wget https://example.com/x.zip is left out"),
        ("files = !ls", "files = !ls is left out"),
        ("model?", "model? is left out"),
        ("print 'x'", "cell 3 is left out, it cannot be read as Python"),
        ("!pip install \\\n  rich", "!pip install"),
    ],
)
def test_lines_that_only_a_notebook_runs_are_left_out_with_a_word(cell: str, note: str) -> None:
    found = proposed(DATA, FIT, cell, "model.fit(x, y)")
    assert said(found, note)
    assert found.cells[3] == ()


def test_texts_over_several_lines_stay_as_they_are() -> None:
    text = 'note = """one\n%two\n  three"""\nx = x + len(note)'
    found = proposed(DATA, text, FIT, "model.fit(x, y)")
    tree = ast.parse(found.recipe.helpers + found.recipe.preprocessing)
    assert "one\n%two\n  three" in [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)]


def test_a_callback_of_ones_own_and_names_that_nobody_makes_are_told() -> None:
    own = "class Mine(keras.callbacks.Callback):\n    pass"
    found = proposed(DATA, own, FIT, "model.fit(x * factor, y, callbacks=[Mine()])\nmodel.evaluate(x, y)")
    assert said(found, "the callback Mine is left out")
    assert said(found, "factor, which preprocessing reads, is made by no cell")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (notebook("x = 1"), "no model.fit"),
        (notebook("def train():\n    model.fit(1, 2)"), "move the call out"),
        (notebook("scaler.fit(x)"), "no model.fit"),
        (b"no notebook", "can be read"),
        (json.dumps({"nbformat": 3, "worksheets": []}).encode(), "can be read"),
        (notebook("model.compile()", "model.fit(epochs=3)"), "names no data"),
    ],
)
def test_what_trains_nothing_is_refused_with_the_way_out(content: bytes, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        propose(content, "mine.ipynb")


@pytest.mark.parametrize(
    "cell",
    [
        "z = " + " + ".join(["'a'"] * 400),
        "z = " + "-" * 100_000 + "1",
        "z = x" + ".a()" * 3_000,
        "if x: pass\n" + "elif y: pass\n" * 1_000,
        "z = 0x" + "f" * 5_000,
        "z = '\ud800'\n!ls",
        "def f(a, a): pass",
        "nonlocal z",
        "def f():\n    z = 1\n    global z",
        "def f():\n    from os import *",
    ],
    ids=lambda cell: cell[:12],
)
def test_a_cell_that_python_or_this_cannot_take_is_left_out_and_told(cell: str) -> None:
    found = proposed(DATA, FIT, cell, "model.fit(x, y)\nmodel.evaluate(x, y)")
    assert found.cells[3] == ()
    assert said(found, "cell 3 is left out, it cannot be read as Python")


@pytest.mark.parametrize(
    "line",
    [
        " " * 500_000 + "z",
        "! " + " " * 500_000 + "z",
        "'" + "a." * 250_000 + "'",
        "'" + "fetch_" * 100_000 + "'",
    ],
    ids=("before", "behind a sign", "names", "words"),
)
def test_a_line_of_half_a_million_signs_is_read_in_one_go(line: str) -> None:
    found = proposed(DATA, FIT, f"x = [\n{line}\n, x][1]", "model.fit(x, y)\nmodel.evaluate(x, y)")
    assert "model.fit" not in found.recipe.training


def test_a_download_with_a_call_in_its_arguments_is_taken_from_here_as_a_whole() -> None:
    call = "(x, y), (a, b) = tf.keras.datasets.mnist.load_data(path=os.path.join('a', 'b'))"
    found = proposed(
        f"import os, keras, tensorflow as tf\n{call}", FIT, "model.fit(x, y)\nmodel.evaluate(a, b)"
    )
    assert '= datasets.load("mnist")\n' in found.recipe.preprocessing


def test_the_command_writes_a_new_folder_and_says_what_became_of_each_cell(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "n.ipynb").write_bytes(notebook(*PICTURES))
    assert main(["import", str(tmp_path / "n.ipynb"), str(tmp_path / "mine"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["cells"][2] == {"cell": 3, "fields": ["helpers", "preprocessing"]}
    recipes.check(recipes.read(tmp_path / "mine"))
    assert main(["import", str(tmp_path / "n.ipynb"), str(tmp_path / "mine")]) == 1
    assert main(["import", str(tmp_path / "no.ipynb"), str(tmp_path / "other")]) == 3
    assert main(["import", str(tmp_path / "n.ipynb"), str(tmp_path / "other")]) == 0
    assert "cell 3  helpers, preprocessing" in capsys.readouterr().out


def test_a_function_stays_with_the_layer_that_it_uses() -> None:
    found = proposed(
        "import keras, numpy as np\nx, y = np.array(['a', 'b']), np.ones(2)",
        "words = keras.layers.TextVectorization(10)\nwords.adapt(x)",
        "def numbers(text):\n    return words(text)\n\ndef double(v):\n    return 2 * v",
        "train = numbers(x)\nlabels = double(y)",
        f"{FIT}model.fit(train, labels, epochs=2)",
    )
    assert "def double" in found.recipe.helpers
    assert "def numbers" not in found.recipe.helpers
    assert found.recipe.preprocessing.index("words.adapt(x)") < found.recipe.preprocessing.index(
        "def numbers"
    )
    assert said(found, "cell 2: words prepares the data and is no part of the model")
    assert not said(found, "define it")


def test_what_is_made_of_the_models_inputs_is_the_models() -> None:
    found = proposed(
        "import keras, tensorflow as tf",
        "ds = tf.data.Dataset.from_tensor_slices(({'age': [1.0, 2.0]}, [0, 1])).batch(1)",
        "def encode(feature, name, data):\n    layer = keras.layers.Normalization()\n"
        "    layer.adapt(data.map(lambda x, y: x[name]))\n    return layer(feature)",
        "age = keras.Input((1,), name='age')\nencoded = encode(age, 'age', ds)\nsize = encoded.shape[-1]",
        "model = keras.Model([age], keras.layers.Dense(size)(encoded))\nmodel.compile('sgd', 'mse')",
        "model.fit(ds, epochs=1)",
    )
    assert "ds = found.ds" in found.recipe.training
    assert "encoded = encode(age, 'age', ds)" in found.recipe.training
    assert "encode(age" not in found.recipe.helpers
    assert "keras.tree.flatten" in found.recipe.preprocessing
    assert not said(found, "define it")


def test_a_name_that_the_model_reads_before_it_makes_it_anew_comes_from_the_data() -> None:
    found = proposed(
        "import keras, tensorflow as tf",
        "ds = tf.data.Dataset.from_tensor_slices(([[1.0], [2.0]], [0, 1])).batch(1)",
        "for inputs, targets in ds.take(1):\n    pass",
        "inputs = keras.Input((inputs.shape[1],))\nmodel = keras.Model(inputs, keras.layers.Dense(1)(inputs))",
        "model.compile('sgd', 'mse')\nmodel.fit(ds, epochs=1)",
    )
    assert "inputs = found.inputs\n    inputs = keras.Input" in found.recipe.training


def test_augmentation_of_the_data_and_files_that_nobody_fetched_are_told() -> None:
    found = proposed(
        "!wget https://example.org/cats.zip\n!unzip cats.zip\n!ls",
        "import keras\npath = keras.utils.get_file(origin='https://example.org/a.csv')",
        "data = keras.utils.image_dataset_from_directory('cats')",
        "flip = [keras.layers.RandomFlip()]\n\ndef turn(images):\n    return flip[0](images)\n",
        "data = data.map(lambda x, y: (turn(x), y))",
        f"{FIT}model.fit(data, epochs=2)",
    )
    assert said(found, "cell 4: RandomFlip would change the examples once")
    assert "def turn" in found.recipe.preprocessing
    for text in ("!wget https://example.org/cats.zip is", "!unzip cats.zip is"):
        assert said(found, f"{text} left out, only a notebook runs it; put the files that it leaves beside")
    assert not said(found, "!ls is left out, only a notebook runs it;")
    assert said(found, "cell 2: path = keras.utils.get_file")


@pytest.mark.parametrize(
    "path",
    [
        "/Users/me/Downloads/cards.csv",
        r"C:\\data\\cards.csv",
        "~/cards.csv",
        "../input/cards/cards.csv",
        "/kaggle/input/a.csv",
    ],
)
def test_a_file_of_another_computer_is_told(path: str) -> None:
    found = proposed(
        f"# from https://example.org/cards\nname = '{path}'\nx = y = open(name).read()\n{FIT}model.fit(x, y)"
    )
    assert said(found, "is a file of another computer: put it beside the recipe")
    assert not said(found, "fetches from the network")


def test_a_divisor_and_a_file_beside_the_notebook_are_no_files_of_another_computer() -> None:
    found = proposed(f"x = y = [open('data/a.csv').read(), 'and/or', '/', '//']\n{FIT}model.fit(x, y)")
    assert not said(found, "another computer")
