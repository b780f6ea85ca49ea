"""Recipes of every family, each trained in every layout, exported, measured, deployed and asked.

``python -m tests.node.trained_families`` does it all and writes the table in ``docs/recipes.md``: some twenty CPU minutes.
``… NAME …`` does so for some of them and leaves the other rows.
"""

import json
import sys
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from tests.backend.client import Client
from tests.node.training_cluster import Forks, Job
from workbench import arrays, artifact, manifest
from workbench.settings import PROJECT, from_environment

DOCUMENT = PROJECT / "docs" / "recipes.md"
BEGIN = "<!-- trained families: made by python -m tests.node.trained_families -->\n"
END = "<!-- end of trained families -->\n"
LAYOUTS = {"one process": (0, 1), "synchronous": (0, 2), "parameter servers": (1, 2)}
SPLIT = """
import numpy as np

chance, n = np.random.default_rng(0), 440

def split(x, y):
    def part(of):
        cut = lambda a: {k: v[of] for k, v in a.items()} if isinstance(a, dict) else a[of]
        return cut(x), cut(y)
    return part(slice(400)), part(slice(400, None))
"""
HEAD = "import keras\nfrom keras import layers\nfrom helpers import split, chance, n\nimport numpy as np\n"
COMPILE = 'keras.optimizers.Adam(0.02), "sparse_categorical_crossentropy", metrics=["accuracy"]'


@dataclass(frozen=True)
class Family:
    """A recipe: what makes ``x`` and ``y``, and what makes and compiles ``model``."""

    name: str
    data: str
    model: str

    @property
    def recipe(self) -> dict[str, str]:
        """The three files."""
        load = f"{HEAD}def load_data():\n{_indent(self.data)}    return split(x, y)\n"
        build = (
            f"{HEAD}EPOCHS, BATCH_SIZE = 3, 20\n\ndef build_model():\n{_indent(self.model)}    return model\n"
        )
        return {"helpers": SPLIT, "preprocessing": load, "training": build}


FAMILIES = (
    Family(
        "dense",
        'x = chance.normal(size=(n, 8)).astype("float32")\ny = (x[:, 0] > x[:, 1]).astype("int64")',
        f'model = keras.Sequential([keras.Input((8,)), layers.Dense(16, "relu"), layers.Dense(2, "softmax")])\nmodel.compile({COMPILE})',
    ),
    Family(
        "convolution",
        'y = np.arange(n) % 2\nx = chance.integers(0, 100, (n, 12, 12, 3)).astype("uint8")\nx[y == 1] += 100',
        "model = keras.Sequential([keras.Input((12, 12, 3)), layers.Rescaling(1 / 255), layers.Conv2D(4, 3), "
        'layers.BatchNormalization(momentum=0.7), layers.GlobalAveragePooling2D(), layers.Dense(2, "softmax")])\n'
        f"model.compile({COMPILE})",
    ),
    Family(
        "recurrent, a series",
        'x = chance.normal(size=(n, 10, 2)).astype("float32")\ny = x[:, -1, :1] + x[:, -2, :1]',
        "model = keras.Sequential([keras.Input((10, 2)), layers.LSTM(8), layers.Dense(1)])\n"
        'model.compile(keras.optimizers.Adam(0.02), "mse")',
    ),
    Family(
        "attention",
        'x = chance.integers(1, 20, (n, 8))\ny = (x == 7).any(1).astype("int64")',
        'given = keras.Input((8,), dtype="int32")\ne = layers.Embedding(20, 8)(given)\n'
        "h = layers.LayerNormalization()(e + layers.MultiHeadAttention(2, 4)(e, e))\n"
        'model = keras.Model(given, layers.Dense(2, "softmax")(layers.GlobalAveragePooling1D()(h)))\n'
        f"model.compile({COMPILE})",
    ),
    Family(
        "text, vectorized and embedded",
        'y = np.arange(n) % 2\nx = np.array([("good" if k else "bad") + f" word{i % 7}" for i, k in enumerate(y)], object)',
        'words = layers.TextVectorization(20, output_sequence_length=4, vocabulary=["good", "bad"])\n'
        'model = keras.Sequential([keras.Input((), dtype="string"), words, layers.Embedding(20, 4), '
        'layers.GlobalAveragePooling1D(), layers.Dense(2, "softmax")])\n'
        f"model.compile({COMPILE})",
    ),
    Family(
        "words, a class each",
        "x = chance.integers(0, 9, (n, 6))\ny = x % 3",
        'model = keras.Sequential([keras.Input((6,), dtype="int32"), layers.Embedding(9, 8), layers.Dense(3, "softmax")])\n'
        f"model.compile({COMPILE})",
    ),
    Family(
        "autoencoder",
        'x = chance.random((n, 8, 8, 1)).round().astype("float32")\ny = x',
        "model = keras.Sequential([keras.Input((8, 8, 1)), layers.Conv2D(4, 3, padding='same', activation='relu'), "
        "layers.Conv2DTranspose(1, 3, padding='same')])\n"
        'model.compile(keras.optimizers.Adam(0.02), "mse")',
    ),
    Family(
        "several heads, one picture in",
        'k = np.arange(n) % 2\nx = chance.random((n, 8, 8, 1)).astype("float32") / 2\nx[k == 1] += 0.5\n'
        'y = {"light": x.mean((1, 2)), "bright": k}',
        'given = keras.Input((8, 8, 1))\nh = layers.Flatten()(given)\nlight = layers.Dense(1, name="light")(h)\n'
        'bright = layers.Dense(2, "softmax", name="bright")(h)\n'
        'model = keras.Model(given, {"light": light, "bright": bright})\n'
        'model.compile(keras.optimizers.Adam(0.02), {"light": "mse", "bright": "sparse_categorical_crossentropy"})',
    ),
    Family(
        "two inputs, a tuple",
        'a, b = chance.normal(size=(n, 4)).astype("float32"), chance.integers(0, 9, (n, 3))\nx = {"a": a, "b": b}\n'
        'y = (a[:, 0] > 0).astype("int64")',
        'a, b = keras.Input((4,), name="a"), keras.Input((3,), dtype="int32", name="b")\n'
        "h = layers.concatenate([a, layers.Flatten()(layers.Embedding(9, 2)(b))])\n"
        f'model = keras.Model([a, b], layers.Dense(2, "softmax")(h))\nmodel.compile({COMPILE})',
    ),
    Family(
        "a table with lookup layers",
        'x = {"job": np.array(["cook", "smith", "nurse"], object)[np.arange(n) % 3], '
        '"age": chance.integers(18, 65, (n, 1)).astype("float32")}\n'
        'y = (np.arange(n) % 3 == 2).astype("int64")',
        'job, age = keras.Input((), dtype="string", name="job"), keras.Input((1,), name="age")\n'
        'one = layers.StringLookup(vocabulary=["cook", "smith", "nurse"], output_mode="one_hot")(job)\n'
        "h = layers.concatenate([one, layers.Rescaling(1 / 65)(age)])\n"
        'model = keras.Model({"job": job, "age": age}, layers.Dense(2, "softmax")(h))\n'
        f"model.compile({COMPILE})",
    ),
)


def _indent(code: str) -> str:
    return "".join(f"    {line}\n" for line in code.splitlines())


def figure(metrics: dict[str, float]) -> str:
    """What a model is measured by, short."""
    if "accuracy" in metrics:
        return f"{100 * metrics['accuracy']:.0f} %"
    return f"R² {metrics.get('explained', 0):.2f}"


def answers(folder: Path, home: Path) -> bool:
    """Push the export to a back end, let it serve, and compare what it says to the export's own examples."""
    from backend.app import create_app

    told = manifest.Manifest.parse(json.loads((folder / "fields.json").read_text()))
    manifest.write(folder / "export", replace(told, name="family", version=1))
    body = artifact.pack(folder / "export", folder / "family.zip").read_bytes()
    home.mkdir(exist_ok=True)
    (home / "deploy_token").write_text("families")
    (home / "deploy_token").chmod(0o600)
    settings = from_environment({"WORKBENCH_HOME": str(home)})
    client, token = Client(create_app(settings)), {"Authorization": "Bearer families"}
    pushed = client.put("/models/family/versions/1", data=body, headers=token)
    assert pushed.status_code == 201, pushed.text
    active = client.post("/models/family:activate", json={"version": 1}, headers=token)
    assert active.status_code == 200, active.text
    with np.load(folder / "export" / "examples.npz") as file:
        x, y = (arrays.unpack(file.files, file.__getitem__, what) for what in ("x", "y"))
    said = client.post(
        "/v1/models/family:predict", json={"inputs": arrays.convert(lambda one: one.tolist(), x)}
    )
    assert said.status_code == 200, said.text
    got = said.json["outputs"]
    pairs = [(got[name], y[name]) for name in y] if isinstance(y, dict) else [(got, y)]
    return all(np.allclose(one, other, atol=1e-3) for one, other in pairs)


def try_out(family: Family, forks: Forks, place: Path) -> str:
    """Do all of it; the family's row."""
    cells = []
    folder = place
    for ps, workers in LAYOUTS.values():
        folder = place / f"{ps}-{workers}"
        job = Job(forks, folder, family.recipe, ps, workers)
        try:
            job.run()
        finally:
            job.end()
        cells.append(figure(json.loads((folder / "fields.json").read_text())["metrics"]))
    missing = json.loads((folder / "fields.json").read_text())["missing"]
    forms = ", ".join(
        word for form, word in (("model.onnx", "ONNX"), ("model.tflite", "LiteRT")) if form not in missing
    )
    served = "yes" if answers(folder, place / "home") else "no"
    return f"| {family.name} | {' | '.join(cells)} | {forms or '–'} | {served} |\n"


def main(chosen: list[str]) -> None:
    """Write the table anew, or the rows of these families; what is done stands there at once."""
    forks = Forks(Path(tempfile.mkdtemp()))
    try:
        for family in FAMILIES:
            if chosen and family.name not in chosen:
                continue
            with tempfile.TemporaryDirectory() as place:
                row = try_out(family, forks, Path(place))
            print(row, end="", flush=True)
            _write(family, row)
    finally:
        forks.end()


def _write(family: Family, row: str) -> None:
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    table, _, after = rest.partition(END)
    rows = {
        line.split(" | ")[0].removeprefix("| "): f"{line}\n"
        for line in table.splitlines()
        if line[:2] == "| "
    }
    rows[family.name] = row
    head = f"| family | {' | '.join(LAYOUTS)} | forms besides | a back end answers |\n|---|---|---|---|---|---|\n"
    lines = "".join(rows[one.name] for one in FAMILIES if one.name in rows)
    DOCUMENT.write_text(before + BEGIN + "\n" + head + lines + "\n" + END + after)


if __name__ == "__main__":
    main(sys.argv[1:])
