import json
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.models import evaluation


def classified(*arguments: Any) -> evaluation.Evaluation:
    result = evaluation.evaluate(*arguments)
    assert isinstance(result, evaluation.Evaluation)
    return result


def test_accuracy_confusion_and_worst_are_counted() -> None:
    outputs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.99, 0.01]])
    result = classified(lambda x: outputs, (np.zeros((4, 2)), np.array([0, 1, 1, 1])), ("no", "yes"))
    assert result.accuracy == 0.5
    assert result.confusion.tolist() == [[1, 0], [2, 1]]
    assert [(m.index, m.predicted) for m in result.worst] == [(3, 0), (2, 0)]
    assert result.per_class[1] == {
        "label": "yes",
        "count": 3,
        "precision": 1.0,
        "recall": pytest.approx(1 / 3),
        "f1": 0.5,
    }
    assert result.loss == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.01]).mean(), rel=1e-6)


def test_one_hot_truth_and_logits_are_understood() -> None:
    logits, truth = np.array([[5.0, -5.0], [-3.0, 4.0]]), np.array([[1, 0], [0, 1]])
    result = classified(lambda x: logits, (np.zeros((2, 1)), truth))
    assert (result.accuracy, result.output_kind, result.labels) == (1.0, "values", ("0", "1"))


def test_a_class_that_never_occurs_divides_nothing() -> None:
    result = classified(lambda x: np.eye(3)[[0, 1]], (np.zeros((2, 1)), np.array([0, 1])))
    assert result.per_class[2] == {"label": "2", "count": 0, "precision": None, "recall": None, "f1": None}


@given(st.integers(1, 10_000), st.data())
def test_the_interval_holds_the_share_and_stays_between_0_and_1(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    low, high = evaluation.wilson(hits, count)
    assert 0 <= low <= hits / count + 1e-12
    assert hits / count - 1e-12 <= high <= 1


def test_calibration_of_an_oracle_has_no_gap_and_of_a_boaster_has_one() -> None:
    truth = np.arange(1000) % 2
    oracle = classified(lambda x: np.eye(2)[truth], (np.zeros((1000, 1)), truth))
    boaster = classified(lambda x: np.eye(2)[np.zeros(1000, int)], (np.zeros((1000, 1)), truth))
    assert oracle.calibration["expected_error"] == 0
    assert boaster.calibration["expected_error"] == pytest.approx(0.5)


@pytest.mark.parametrize(("outputs", "truth"), [((3, 2), (2,)), ((2,), (2,)), ((0, 2), (0,))])
def test_outputs_that_do_not_fit_are_refused(outputs: tuple[int, ...], truth: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="Received"):
        evaluation.evaluate(lambda x: np.zeros(outputs), (np.zeros((2, 1)), np.zeros(truth, int)))


def test_a_class_beyond_the_outputs_is_refused() -> None:
    with pytest.raises(ValueError, match="classes 0 to 5"):
        evaluation.evaluate(lambda x: np.zeros((2, 3)), (np.zeros((2, 1)), np.array([0, 5])))


def test_it_is_saved_as_json_and_a_picture(tmp_path: Path) -> None:
    pictures = np.full((6, 28, 28, 1), 200, np.uint8)
    result = classified(lambda x: np.eye(2)[[0] * 6], (pictures, np.array([0, 1, 1, 1, 1, 1])))
    result.save(tmp_path, pictures)
    saved = json.loads((tmp_path / "evaluation.json").read_text())
    assert (saved["count"], len(saved["worst"])) == (6, 5)
    assert saved["interval"] == [result.low, result.high]
    sheet = imageio.imread(tmp_path / "worst.png")
    assert sheet.shape == (86, 5 * 86)
    assert sheet.max() == 200


def test_a_quantity_is_measured_in_its_own_unit() -> None:
    truth = np.array([1.5, 2.5, 3.5, 10.0])
    result = evaluation.evaluate(
        lambda x: truth[:, None] + [[0.5], [-0.5], [0.5], [-3]], (np.zeros((4, 3)), truth)
    )
    assert isinstance(result, evaluation.Regression)
    assert result.mean_error == pytest.approx(1.125)
    assert result.root_mean_square_error == pytest.approx(np.sqrt(9.75 / 4))
    assert result.worst[0] == 3
    assert result.explained == pytest.approx(1 - 9.75 / ((truth - truth.mean()) ** 2).sum())


def test_always_saying_the_mean_explains_nothing() -> None:
    truth = np.array([1.5, 2.5, 3.5])
    result = evaluation.evaluate(lambda x: np.full(3, truth.mean()), (np.zeros((3, 1)), truth))
    assert result.metrics["explained"] == pytest.approx(0)


@pytest.mark.parametrize("outputs", [[[0.1], [0.9], [0.8]], [[-3.0], [2.0], [1.0]]])
def test_one_output_for_two_classes_is_understood_as_probability_or_logit(outputs: list[list[float]]) -> None:
    for truth in (np.array([0, 1, 0]), np.array([0.0, 1.0, 0.0])):
        result = evaluation.evaluate(lambda x: np.array(outputs), (np.zeros((3, 4)), truth), ("no", "yes"))
        assert isinstance(result, evaluation.Evaluation)
        assert result.confusion.tolist() == [[1, 1], [0, 1]]


def test_a_quantity_is_saved_as_json(tmp_path: Path) -> None:
    result = evaluation.evaluate(lambda x: np.zeros(2), (np.zeros((2, 1)), np.array([0.5, -0.5])))
    result.save(tmp_path, np.zeros((2, 1)))
    assert json.loads((tmp_path / "evaluation.json").read_text())["mean_error"] == 0.5
