"""Every family of models in every form: exported in inference mode, loaded back, the same answers; as the table says."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("keras")
import keras
import tensorflow as tf
from keras import layers

from backend.deployments import engines
from tests.node import families
from workbench import manifest
from workbench.errors import ModelRefused
from workbench.models import evaluation
from workbench.node import export, forms
from workbench.node.inference import predict as ask
from workbench.node.inference import run_saved_model
from workbench.node.model import full_precision, input_of, predict
from workbench.node.training import Trained
from workbench.recipes import from_namespace

FAMILIES = {family.name: family for family in families.families()}
PICTURES = families.PICTURES


RANDOM_LAYERS = dict(families.random_layers())


def test_layers_that_act_in_training_only_come_out_as_the_table_says() -> None:
    """All in one model: where one of them did not come out, neither would this."""
    together = families.Family(
        "", lambda: families.pictures(*(make() for make in RANDOM_LAYERS.values())), PICTURES
    )
    row = families.try_out(together)
    for layer in RANDOM_LAYERS:
        line = families.as_line(replace(row, name=families.name_with(layer)))
        assert line in families.DOCUMENT.read_text()


@pytest.mark.parametrize(
    "name", [name for name in FAMILIES if name not in map(families.name_with, RANDOM_LAYERS)]
)
def test_a_family_comes_out_as_the_table_says(name: str) -> None:
    row = families.try_out(FAMILIES[name])
    assert families.as_line(row) in families.DOCUMENT.read_text()


def test_the_table_has_no_other_rows() -> None:
    table = families.DOCUMENT.read_text().partition(families.BEGIN)[2].partition(families.END)[0]
    rows = [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines() if line.startswith("| ")]
    assert rows[1:] == list(FAMILIES)


def exported(model: Any, x: np.ndarray, folder: Path, names: Any = ()) -> Any:
    model(x[:1])
    return export.export(model, folder, x, predict(model, x), names)


def test_a_savedmodel_answers_alike_each_time_and_its_examples_are_what_it_answers(tmp_path: Path) -> None:
    model = families.pictures(layers.RandomContrast(0.9), layers.GaussianNoise(0.5))
    made = exported(model, PICTURES, tmp_path)
    first = run_saved_model(tmp_path / "saved_model", PICTURES)
    assert np.array_equal(first, run_saved_model(tmp_path / "saved_model", PICTURES))
    assert np.allclose(ask(tmp_path, PICTURES), made.answers, atol=1e-5)


def test_a_shape_that_is_left_open_stays_open_in_every_form(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((None,)), layers.Embedding(20, 8), layers.GRU(4), layers.Dense(2)])
    exported(model, families.TOKENS, tmp_path)
    for length in (1, 7, 23):
        x = np.random.default_rng(length).integers(1, 20, (3, length))
        expected = predict(model, x)
        assert np.allclose(run_saved_model(tmp_path / "saved_model", x), expected, atol=1e-4)
        assert np.allclose(ask(tmp_path, x), expected, atol=1e-4)


def test_the_input_is_the_models_own() -> None:
    x = families.TOKENS
    assert input_of(families.attention(), x).dtype == tf.int32
    assert input_of(families.pictures(dtype="float16"), PICTURES).dtype == tf.float32
    assert input_of(families.text(()), families.TEXTS).shape.as_list() == [None]
    assert input_of(families.Own(), PICTURES).dtype == tf.float32
    assert input_of(families.Own(), x).dtype == tf.int64


def test_mixed_precision_is_full_precision_while_it_answers_and_mixed_again_after() -> None:
    model = families.pictures(policy="mixed_bfloat16")
    before = [layer.dtype_policy.name for layer in model.layers]
    with full_precision(model):
        assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    assert [layer.dtype_policy.name for layer in model.layers] == before
    assert forms.allowed(model) > forms.allowed(families.pictures(policy="mixed_float16")) > forms.TOLERANCE
    assert forms.allowed(families.pictures()) == forms.TOLERANCE


@pytest.mark.parametrize(
    ("answers", "said"),
    [([[1.0, 2.1]], "differ by 0.05"), ([[np.nan, 2.0]], "differ by nan"), ([[1.0]], r"answers \(1, 1\)")],
)
def test_answers_that_are_others_do_not_agree(answers: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        forms.check_agreement(np.array(answers), np.array([[1.0, 2.0]]), 1e-4)


def test_a_lambda_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(ModelRefused, match=r"Lambda layer \(halve\) .*Rescaling"):
        exported(families.pictures(layers.Lambda(lambda t: t / 2, name="halve")), PICTURES, tmp_path)


class Unsteady(layers.Layer):
    """Draws in whatever mode."""

    def call(self, x: Any) -> Any:
        return x + tf.random.normal(tf.shape(x))


class NotMadeAnew(layers.Layer):
    """Has no ``**kwargs``, so that Keras cannot make it from a file."""

    def __init__(self) -> None:
        super().__init__()

    def call(self, x: Any) -> Any:
        return x * 2


@pytest.mark.parametrize(
    ("layer", "said"),
    [(Unsteady, "answers the same input differently"), (NotMadeAnew, "class NotMadeAnew anew.*kwargs")],
)
def test_what_cannot_be_published_is_told_with_the_way_out(tmp_path: Path, layer: Any, said: str) -> None:
    model = keras.Sequential([keras.Input((3,)), layer(), layers.Dense(2)])
    tf.random.set_seed(0)  # as in every job
    with pytest.raises(ModelRefused, match=said):
        exported(model, np.ones((4, 3), np.float32), tmp_path, [globals()])


@pytest.mark.parametrize(
    ("name", "scale"),
    [
        ("tokens, attention", 1.0),
        ("pictures, policy mixed_bfloat16", 1.0),
        ("pictures, policy mixed_float16", 1.0),
        ("pictures, Input of uint8", 1.0),
        ("pictures of any size", 1e5),
        ("pictures in and out", 1e4),
    ],
)
def test_what_is_published_is_taken_by_a_back_end(tmp_path: Path, name: str, scale: float) -> None:
    family = FAMILIES[name]
    model = family.make()
    if scale != 1:  # quantities far above 1, which no two libraries compute alike to the last thousandth
        for variable in model.layers[-1].trainable_variables:
            variable.assign(variable * scale)
    y = predict(model, family.x)
    truth = y * np.float32(1.01) if scale != 1 else y.argmax(1)
    trained = Trained(model, [], 0.0, stopped=False)
    result = evaluation.evaluate(trained.predict, (family.x, truth))
    program = from_namespace({"load_data": print, "build_model": print})
    made = export.write_version(tmp_path, trained, program, result, family.x)
    manifest.write(tmp_path, replace(made, name="n", version=1))

    read = manifest.read(tmp_path)
    engine = engines.load(tmp_path, read)

    assert read.takes.fits(family.x.shape[1:])
    assert np.allclose(engine.predict(family.x), y, atol=2e-3 * scale)
    assert read.output is not None
    assert read.output.shape == y.shape[1:]
