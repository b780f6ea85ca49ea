"""A model of several inputs and outputs, from what the recipe gives to what a back end answers."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("tensorflow")
import keras
from keras import layers

from backend.deployments import engines
from workbench import manifest
from workbench.errors import RecipeError
from workbench.models import evaluation, held_out, published_evaluation
from workbench.models.measured import SeveralOutputs
from workbench.node import data, export, inference, measuring, training
from workbench.recipes import from_namespace

chance = np.random.default_rng(0)
SIZES, TOKENS = chance.normal(size=(240, 4)).astype("float32"), chance.integers(0, 10, (240, 5))
GRADE, INCOME = (TOKENS.sum(1) > 22).astype("int64"), 3 * SIZES[:, :1] + 10


def net(dicts: bool, **compiled: Any) -> keras.Model:
    """Two inputs, one of tokens, and two outputs: logits of two classes, and a quantity."""
    sizes, tokens = keras.Input((4,), name="Sizes (m²)"), keras.Input((5,), dtype="int32", name="tokens")
    flat = layers.Flatten()(layers.Embedding(10, 2)(tokens))
    income = layers.Dense(1, name="income", bias_initializer="ones")(sizes)
    grade = layers.Dense(2, name="grade")(flat)
    if not dicts:
        model = keras.Model([sizes, tokens], [income, grade])
        logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
        model.compile("adam", **{"loss": ["mse", logits], "metrics": [["mae"], ["accuracy"]], **compiled})
        return model
    model = keras.Model({"Sizes (m²)": sizes, "tokens": tokens}, {"income": income, "grade": grade})
    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(
        "adam", **{"loss": {"income": "mse", "grade": logits}, "metrics": {"grade": ["accuracy"]}, **compiled}
    )
    return model


def columns() -> keras.Model:
    """Columns of a table as Keras' tutorials have them: the data ``(n,)``, the inputs ``(n, 1)``, and the other way."""
    wide, flat = keras.Input((1,), name="wide"), keras.Input((), name="flat")
    both = layers.concatenate([wide, layers.Reshape((1,))(flat)])
    model = keras.Model([wide, flat], layers.Dense(2, activation="softmax")(both))
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


class Own(keras.Model):
    """A class of a recipe's own that takes a dict and gives a tuple."""

    def __init__(self) -> None:
        super().__init__()
        self.income, self.grade = layers.Dense(1), layers.Dense(2, activation="softmax")

    def call(self, x: Any) -> Any:
        return self.income(x["Sizes (m²)"]), self.grade(x["tokens"])


def own() -> keras.Model:
    model = Own()
    model.compile("adam", ["mse", "sparse_categorical_crossentropy"], metrics=[None, "accuracy"])
    return model


X = {"Sizes (m²)": SIZES, "tokens": TOKENS}
CASES: dict[str, tuple[Callable[[], keras.Model], Any, Any, tuple[list[str], list[str], str]]] = {
    "dicts": (
        lambda: net(True),
        X,
        {"income": INCOME, "grade": GRADE},
        (["Sizes_m", "tokens"], ["income", "grade"], "logits"),
    ),
    "lists": (
        lambda: net(False),
        [SIZES, TOKENS],
        [INCOME, GRADE],
        (["Sizes_m", "tokens"], ["grade", "income"], "logits"),
    ),
    "a dict in, a class of one's own, a tuple out": (
        own,
        X,
        (INCOME, GRADE),
        (["Sizes_m", "tokens"], ["output_1", "output_2"], "probabilities"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_trained_exported_measured_and_answers(case: str, tmp_path: Path) -> None:
    build, x, y, (inputs, outputs, kind) = CASES[case]
    part = (x, y)
    labels = {"grade": ["low", "high"]} if case == "dicts" else ["low", "high"]
    program = from_namespace({"load_data": print, "build_model": build, "EPOCHS": 1, "LABELS": labels})
    trained = training.train(program, part)
    assert trained.history[-1].accuracy is not None
    fitted = trained.signature.fit(*data.arrays(part))
    said = program.output_labels or program.labels
    result = evaluation.evaluate(trained.predict, fitted, said, says_logits=trained.says_logits)
    assert isinstance(result, SeveralOutputs)
    folder = tmp_path / "export"
    folder.mkdir()
    told = export.write_version(folder, trained, program, result, fitted[0])

    assert (told.missing, told.preprocessing, told.input) == ({}, "none", None)
    assert [one.name for one in told.inputs] == inputs
    assert sorted(one.name for one in told.outputs) == sorted(outputs)
    assert told.output is not None
    assert (told.output.kind, told.output.shape) == (kind, (2,))
    assert set(told.metrics) == {"accuracy", "low", "high", "loss"}
    assert manifest.Manifest.parse(told.as_json()) == told
    other = next(one for one in told.outputs if one.name != told.output.name)
    assert "mean_error" in other.metrics
    assert published_evaluation.read(folder / "outputs" / other.name) is not None

    # As whoever measures it does, from files alone.
    held_out.write(tmp_path / held_out.FILE, *data.arrays(part))
    (tmp_path / "fields.json").write_text(json.dumps(told.as_json()))
    found = measuring.measure(tmp_path, held_out.FILE, "")
    assert [replace(one, metrics={}) for one in found.outputs] == [
        replace(one, metrics={}) for one in told.outputs
    ]
    assert told.labels == ("low", "high")
    assert {one.labels for one in told.outputs} == {(), ("low", "high")}
    for one, before in zip(found.outputs, told.outputs, strict=True):
        assert one.metrics == pytest.approx(before.metrics)
    assert found.metrics == pytest.approx(told.metrics)

    # As a back end does.
    manifest.write(folder, replace(told, name="n", version=1))
    engine = engines.load(folder, manifest.read(folder), thorough=True)
    expected = trained.predict(fitted[0])
    answers = engine.answer(fitted[0])
    asked = inference.predict(folder, fitted[0])
    for name in outputs:
        assert np.allclose(answers[name], expected[name], atol=1e-3)
        assert np.allclose(asked[name], expected[name], atol=1e-3)


def test_columns_of_one_are_brought_to_the_models_own_shape(tmp_path: Path) -> None:
    x = {"flat": SIZES[:, :1], "wide": SIZES[:, 1]}
    program = from_namespace({"load_data": print, "build_model": columns, "EPOCHS": 1})
    trained = training.train(program, (x, GRADE))
    fitted = trained.signature.fit(*data.arrays((x, GRADE)))
    assert {name: one.shape for name, one in fitted[0].items()} == {"flat": (240,), "wide": (240, 1)}
    result = evaluation.evaluate(trained.predict, fitted)
    (tmp_path / "export").mkdir()
    told = export.write_version(tmp_path / "export", trained, program, result, fitted[0])
    held_out.write(tmp_path / held_out.FILE, *data.arrays((x, GRADE)))
    (tmp_path / "fields.json").write_text(json.dumps(told.as_json()))
    assert measuring.measure(tmp_path, held_out.FILE, "").metrics == pytest.approx(told.metrics)


@pytest.mark.parametrize(
    ("settings", "y", "said"),
    [
        (
            {},
            {"income": INCOME, "grades": GRADE},
            "y names income, grades, the model's outputs are income, grade",
        ),
        ({}, INCOME, r"has 2 outputs \(income, grade\), and y is one array; give a dict.*'income'"),
        ({}, (INCOME, GRADE, GRADE), "has 2 outputs .* and y has 3 arrays"),
        (
            {"OUTPUT": "mark"},
            {"income": INCOME, "grade": GRADE},
            "OUTPUT names the output 'mark'; the model has",
        ),
    ],
)
def test_a_truth_that_is_not_the_outputs_is_named(settings: dict[str, Any], y: Any, said: str) -> None:
    program = from_namespace({"load_data": print, "build_model": lambda: net(True), **settings})
    with pytest.raises(RecipeError, match=said) as caught:
        training.train(program, (X, y))
    assert caught.value.field == "training"


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (
            {"Sizes (m²)": SIZES[:, :2], "tokens": TOKENS},
            r"x of shape \{Sizes \(m²\): \(2,\), tokens: \(5,\)\} \(it takes ",
        ),
        ({"sizes": SIZES, "tokens": TOKENS}, r"sizes.*it takes Sizes \(m²\): \(4,\)"),
        (SIZES, r"\(it takes Sizes \(m²\): \(4,\), tokens: \(5,\)\)"),
    ],
)
def test_inputs_that_are_not_the_models_are_named(x: Any, said: str) -> None:
    program = from_namespace({"load_data": print, "build_model": lambda: net(True)})
    with pytest.raises(RecipeError, match=said):
        training.train(program, (x, {"income": INCOME, "grade": GRADE}))


@pytest.mark.parametrize(("wanted", "judged"), [("", "grade"), ("income", "income")])
def test_a_model_is_judged_by_the_first_output_that_tells_classes_unless_it_says_otherwise(
    wanted: str, judged: str
) -> None:
    truth = {"income": INCOME, "grade": GRADE}
    answers = {"income": INCOME, "grade": np.eye(2, dtype=np.float32)[GRADE]}
    found = evaluation.evaluate(lambda _: answers, (SIZES, truth), first=wanted)
    assert isinstance(found, SeveralOutputs)
    assert (found.judged_by, found.main.name) == (judged, judged)
    assert ("accuracy" in found.metrics) == (judged == "grade")
    alone = evaluation.evaluate(lambda _: answers, (SIZES, {"income": INCOME}))
    assert alone.metrics["mean_error"] == 0
    assert [one.kind for one in alone.told] == ["values", "values"]
