"""What a model may hold trains and exports in the layouts of several machines as in one process."""

import json
from collections.abc import Callable

import pytest

from tests.node.training_cluster import Job

PICTURES = """
import numpy as np

def load_data():
    chance = np.random.default_rng(0)
    x = chance.integers(0, 100, (220, 12, 12, 1)).astype("uint8")
    y = np.arange(220) % 2
    x[y == 1] += 100
    return (x[:200], y[:200]), (x[200:], y[200:])
"""
RANDOM = """
import keras
from keras import layers
EPOCHS, BATCH_SIZE, LABELS, CLASS_WEIGHT = 2, 20, ["dark", "bright"], {1: 1.5}
CALLBACKS = [
    keras.callbacks.LearningRateScheduler(lambda epoch, rate: rate / (1 + epoch)),
    keras.callbacks.ModelCheckpoint("best.keras", save_best_only=True),
]

def build_model():
    model = keras.Sequential([
        keras.Input((12, 12, 1)), layers.Rescaling(1 / 255), layers.RandomFlip(), layers.RandomRotation(0.1),
        layers.RandomZoom(0.1), layers.GaussianNoise(0.01), layers.Conv2D(4, 3), layers.BatchNormalization(),
        layers.GlobalAveragePooling2D(), layers.Dropout(0.1), layers.Dense(1),
    ])
    model.compile(keras.optimizers.Adam(0.05), keras.losses.BinaryCrossentropy(from_logits=True))
    return model
"""
TEXTS = """
import numpy as np

def load_data():
    y = np.arange(220) % 2
    words = np.array([f"{'good' if k else 'bad'} word{n % 7}" for n, k in enumerate(y)], object)
    size = np.arange(220, dtype="float32")[:, None] / 220
    wrong = np.arange(220) % 5 > 1  # most are told wrongly, and weigh nothing
    told, weight = np.where(wrong, 1 - y, y), np.where(wrong, 0, 2)

    def part(of, y):
        return {"what it says": words[of], "size": size[of]}, {"length": 3 * size[of], "mood": y[of]}

    return (*part(slice(200), told), {"mood": weight[:200]}), part(slice(200, None), y)
"""
TEXT = """
import keras
from keras import layers
EPOCHS, BATCH_SIZE, LABELS = 5, 20, ["bad", "good"]

def build_model():
    words = layers.TextVectorization(max_tokens=12, output_sequence_length=2, vocabulary=["good", "bad"])
    text, size = keras.Input((), dtype="string", name="what it says"), keras.Input((1,), name="size")
    said = layers.GlobalAveragePooling1D()(layers.Embedding(12, 4)(words(text)))
    outputs = {"length": layers.Dense(1, name="length")(size), "mood": layers.Dense(2, "softmax", name="mood")(said)}
    model = keras.Model({"what it says": text, "size": size}, outputs)
    model.compile(
        keras.optimizers.Adam(0.05), {"length": "mse", "mood": "sparse_categorical_crossentropy"},
        metrics={"mood": ["accuracy"]},
    )
    return model
"""


@pytest.mark.parametrize(("ps", "workers"), [(0, 2), (1, 2)], ids=["synchronous", "ps"])
@pytest.mark.parametrize(
    ("texts", "kind", "forms"),
    [((PICTURES, RANDOM), "logits", set()), ((TEXTS, TEXT), "probabilities", {"model.onnx", "model.tflite"})],
    ids=["random layers", "text and numbers in, two out"],
)
def test_it_trains_and_exports_in_every_layout(
    job: Callable[..., Job], texts: tuple[str, str], kind: str, forms: set[str], ps: int, workers: int
) -> None:
    made = job({"preprocessing": texts[0], "training": texts[1]}, ps=ps, workers=workers).run()
    fields = json.loads((made.folder / "fields.json").read_text())
    assert set(fields["missing"]) == forms
    assert fields["output"]["kind"] == kind
    assert (made.folder / "export" / "saved_model").is_dir()
    assert fields["metrics"]["accuracy"] >= 0.5
    if "mood" in texts[1]:
        assert [one["name"] for one in fields["inputs"]] == ["what_it_says", "size"]
        assert [one["name"] for one in fields["outputs"]] == ["length", "mood"]
        assert (fields["output"]["name"], fields["metrics"]["accuracy"]) == ("mood", 1.0)
        assert made.leader.events("metric")[-1].accuracy is not None
    said = any("the learning rate is 0.025 from epoch 2 on" in log.line for log in made.leader.events("log"))
    assert said == ("CALLBACKS" in texts[1])
