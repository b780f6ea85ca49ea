"""Idioms of public notebooks: what each becomes, and what is said of what cannot be had."""

from pathlib import Path

import numpy as np
import pytest

from tests.recipes.importing.notebooks import notebook, proposed, said
from workbench import recipes
from workbench.errors import BadInput
from workbench.recipes.importing import Proposal, propose

DATA = "import keras, numpy as np\nx, y = np.arange(20.0).reshape(10, 2), np.arange(10)\n"
FIT = "model = keras.Sequential([keras.layers.Dense(1)])\nmodel.compile('sgd', 'mse')\n"


def loaded(found: Proposal, folder: Path) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
    """The two parts that the recipe's ``load_data`` gives."""
    train, test = recipes.load(found.recipe, folder).load_data()
    return train, test


@pytest.mark.parametrize(
    ("cells", "note"),
    [
        (
            (
                "def main():\n    model = net(2)\n    model.compile('sgd', 'mse')\n    model.fit(x, y, epochs=4)",
                "if __name__ == '__main__':\n    main()",
            ),
            "cell 4: fit stands in main(), whose lines",
        ),
        (
            (
                "def run(net, x, y=y, *, epochs=4):\n    net.compile('sgd', 'mse')\n    history = net.fit(x, y, epochs=epochs)\n    return history",
                "model = net(2)\nhistory = run(model, x)",
            ),
            "cell 4: fit stands in run(), whose lines",
        ),
        (
            (
                "model = net(2)\nmodel.compile('sgd', 'mse')\nfor k in range(3):\n    model.fit(x, y, epochs=4)",
            ),
            "cell 3: the loop around fit is gone through once",
        ),
        (
            (
                "import tensorflow as tf\nwith tf.device('/GPU:0'):\n    model = net(2)\n    model.fit(x, y, epochs=4)",
            ),
            "cell 3: with tf.device('/GPU:0') around fit is left out",
        ),
        (
            (
                "model = net(2)\nif TRAINS:\n    model.fit(x, y, epochs=4)\nelse:\n    model.load_weights('w.h5')",
            ),
            "cell 3: the condition 'TRAINS' around fit is left out",
        ),
        (
            ("model = net(2)\ntry:\n    model.fit(x, y, epochs=4)\nexcept KeyboardInterrupt:\n    pass",),
            "cell 3: the try around fit is left out",
        ),
    ],
    ids=("main", "function", "loop", "device", "condition", "try"),
)
def test_a_fit_that_stands_in_something_is_taken_out_of_it(cells: tuple[str, ...], note: str) -> None:
    net = "def net(units):\n    return keras.Sequential([keras.layers.Dense(units)])"
    found = proposed(DATA, net, *cells)
    assert said(found, note)
    assert "EPOCHS = 4\n" in found.recipe.training
    assert "model = net(2)\n" in found.recipe.training
    assert "return model\n" in found.recipe.training
    assert "return split(x, y)" in found.recipe.preprocessing
    assert not said(found, "define it")


def test_names_within_a_function_do_not_meet_those_outside_of_it() -> None:
    found = proposed(
        DATA,
        "def train(size, x):\n    y = x[:, :size]\n    double = lambda y: 2 * y\n    model = keras.Sequential([keras.layers.Dense(size)])\n"
        "    model.compile('sgd', 'mse')\n    model.fit(double(x), y)\n    return model, y",
        "net, _ = train(1, x)\nz = y",
    )
    assert "y_of_train = x[:, :size]" in found.recipe.preprocessing
    assert "double = lambda y: 2 * y" in found.recipe.preprocessing
    assert "return split(double(x), y_of_train)" in found.recipe.preprocessing


def test_a_fit_that_cannot_be_taken_out_is_told_with_where_it_stands() -> None:
    early = (
        "def train(x):\n    if x is None:\n        return\n    model.compile()\n    model.fit(x, epochs=2)"
    )
    own = "class Trainer:\n    def run(self):\n        self.net.fit(x, epochs=2)\n        model.fit(x, epochs=2)"
    for cell, name in ((f"{early}\ntrain(x)", "train"), (own, "Trainer")):
        with pytest.raises(BadInput, match=f"move the call out of {name}, or tag"):
            propose(notebook(DATA, cell), "mine.ipynb")


def test_a_plain_fit_goes_before_one_in_a_loop() -> None:
    found = proposed(
        DATA,
        f"for k in range(4):\n    {FIT.replace(chr(10), chr(10) + '    ')}model.fit(x[k:], y[k:])",
        f"{FIT}model.fit(x, y, epochs=3)",
    )
    assert "EPOCHS = 3" in found.recipe.training
    assert said(found, "cell 2: model.fit(…) is left out")


def test_names_that_mean_something_in_a_recipe_are_changed(tmp_path: Path) -> None:
    found = proposed(
        "INPUT = 2\n\ndef load_data():\n    # ten of them\n    return np.arange(20.0).reshape(10, INPUT), np.arange(10)",
        "import numpy as np\ndata = load_data()\nsplit = 8\n\ndef augment(image, label):\n    return image, label",
        "def build_model(size):\n    return Net(size)",
        "model = build_model(data[0].shape[1])\nmodel.compile()",
        "x, y = data\nx, y = augment(x, y)\nmodel.fit(x[:split], y[:split], validation_data=(x[split:], y[split:]))",
    )
    train, test = loaded(found, tmp_path)
    assert (len(train[0]), len(test[0])) == (8, 2)
    program = recipes.load(found.recipe, tmp_path / "again")
    assert program.augment is None
    assert program.input_ is None
    assert "model = own_build_model(own_data[0].shape[1])" in found.recipe.training
    assert not said(found, "define it, Net")


@pytest.mark.parametrize(
    ("cells", "sizes"),
    [
        (("from cut import train_test_split", "a, b, c, d = train_test_split(x, y)", "b = b * 2", "model.fit(a, c)\nmodel.predict(b)"), (7, 3)),
        (("from cut import train_test_split", "a, b, c, d = train_test_split(x, y)", "e, f = a / 2, b / 2", "model.fit(e, c)\nmodel.predict(f)"), (7, 3)),
        (("(a, b), (c, d) = (x[:6], y[:6]), (x[6:], y[6:])", "model.fit(a, b)"), (6, 4)),
        (("(a, _), (c, _) = (x[:6], y[:6]), (x[6:], y[6:])", "model.fit(a, a)"), (6, 4)),
    ],
    ids=("split", "split and scaled", "pairs", "no truth"),
)  # fmt: skip
def test_what_was_split_off_and_never_evaluated_is_the_test_part(
    cells: tuple[str, ...], sizes: tuple[int, int], tmp_path: Path
) -> None:
    found = proposed(DATA.replace("keras, ", ""), "model = Net()\nmodel.compile()", *cells)
    assert said(found, "the notebook evaluates nothing, so what it split off")
    (tmp_path / "cut.py").write_text("def train_test_split(x, y):\n    return x[:7], x[7:], y[:7], y[7:]\n")
    train, test = loaded(found, tmp_path)
    assert (len(train[0]), len(test[0])) == sizes
    assert (len(train[1]), len(test[1])) == sizes


@pytest.mark.parametrize(
    ("cell", "note"),
    [
        ("import pandas as pd\nx = y = pd.read_csv('rows/cars.csv')", "cell 1: put 'rows/cars.csv' beside the recipe"),
        ("import keras\nx = y = keras.utils.image_dataset_from_directory('cats')", "cell 1: put 'cats' beside the recipe"),
        (
            "import io\nfrom google.colab import files\nup = files.upload()\nx = y = io.BytesIO(up['a.csv'])",
            "cell 1: put a.csv, which is uploaded there, beside the recipe",
        ),
        (
            "import keras\nx = y = [1]\nmodel = keras.applications.MobileNetV2()",
            "fetches trained weights from the network",
        ),
        (
            "import keras\nx = y = [1]\nmodel = keras.applications.ResNet50(include_top=False, weights='imagenet')",
            "fetches trained weights from the network",
        ),
    ],
    ids=("table", "folder", "upload", "weights", "named weights"),
)  # fmt: skip
def test_what_has_to_be_brought_is_told(cell: str, note: str) -> None:
    found = proposed(cell, "model = Net(model)\nmodel.compile()\nmodel.fit(x, y)")
    assert said(found, note)
    assert "google.colab" not in found.recipe.helpers


def test_names_of_folders_are_the_labels() -> None:
    found = proposed(
        "import keras\ntrain = keras.utils.image_dataset_from_directory('cats')",
        "class_names = train.class_names\nprint(class_names)",
        f"train = train.cache()\n{FIT}model.fit(train, epochs=2)",
    )
    assert "LABELS = data().class_names\n" in found.recipe.training
    assert "class_names = train.class_names\n" in found.recipe.helpers
    assert "from helpers import data" in found.recipe.training


def test_a_backbone_without_weights_fetches_nothing() -> None:
    found = proposed(
        "import keras\nx = y = [1]\nmodel = keras.applications.ResNet50(\n    weights=None)\nmodel.compile()\nmodel.fit(x, y)"
    )
    assert not said(found, "network")


def test_a_callback_looks_at_the_validation_loss_instead_of_what_is_not_measured() -> None:
    found = proposed(
        DATA,
        FIT,
        "slower = keras.callbacks.ReduceLROnPlateau(monitor='val_accuracy', mode='max', patience=3)",
        "model.fit(x, y, callbacks=[slower])",
    )
    assert "CALLBACKS = [keras.callbacks.ReduceLROnPlateau(patience=3)]" in found.recipe.training
    assert said(found, "ReduceLROnPlateau looks at the validation loss, not at 'val_accuracy'")


def test_a_model_with_steps_of_its_own_is_told_what_they_are_given() -> None:
    own = "class Coder(keras.Model):\n    def train_step(self, data):\n        return {}\n"
    found = proposed(DATA, own, "coder = Coder()\ncoder.compile('sgd')\ncoder.fit(x, epochs=2)")
    assert said(found, "Coder.train_step is given (x, y)")
    assert said(found, "Coder has no call()")
    with_truth = proposed(
        DATA,
        f"{own}    def call(self, x):\n        return x\n",
        "coder = Coder()\ncoder.compile('sgd')\ncoder.fit(x, y)",
    )
    assert not said(with_truth, "Coder")


def test_augmentation_by_a_generator_is_told() -> None:
    made = "from keras.preprocessing.image import ImageDataGenerator as I, ImageDataGenerator\nflow = {}.flow(x, y, batch_size=4)"
    moving, still = (
        proposed(DATA, made.format(f"ImageDataGenerator({how})"), f"{FIT}model.fit(flow)")
        for how in ("rescale=1 / 255, rotation_range=10", "rescale=1 / 255")
    )
    assert "return split(*as_arrays(flow))" in still.recipe.preprocessing
    assert said(moving, "cell 2: ImageDataGenerator would change the examples once")
    assert not said(still, "would change the examples once")


@pytest.mark.parametrize(
    "cell",
    ["when = rows.pop('when')", "np.random.shuffle(rows)", "print(rows.pop('when'))"],
    ids=("taken out", "shuffled", "shown"),
)
def test_what_changes_the_data_on_its_way_stays(cell: str) -> None:
    found = proposed(
        "import numpy as np\nrows = {'when': 1, 'x': 2}", cell, f"{FIT}model.fit(rows['x'], rows['x'])"
    )
    assert cell in found.recipe.preprocessing


def test_an_import_may_stand_behind_the_function_that_needs_it() -> None:
    found = proposed(
        "def ones(n):\n    return np.ones(n)", "import numpy as np\nx = y = ones(10)", f"{FIT}model.fit(x, y)"
    )
    assert "import numpy as np" in found.recipe.helpers
    assert not said(found, "np, which")
