import json
from pathlib import Path
from typing import Any

import imageio.v3 as imageio
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from workbench.errors import ModelRefused
from workbench.models import evaluation, measured, published_evaluation
from workbench.models.published_evaluation import ClassFigures, PublishedClassification, PublishedRegression


def classified(*arguments: Any) -> measured.Evaluation:
    result = evaluation.evaluate(*arguments)
    assert isinstance(result, measured.Evaluation)
    return result


def test_accuracy_confusion_and_worst_are_counted() -> None:
    outputs = np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4], [0.99, 0.01]])
    result = classified(lambda x: outputs, (np.zeros((4, 2)), np.array([0, 1, 1, 1])), ("no", "yes"))
    assert result.accuracy == 0.5
    assert result.confusion.tolist() == [[1, 0], [2, 1]]
    assert [(m.index, m.predicted) for m in result.worst] == [(3, 0), (2, 0)]
    assert result.per_class[1] == ClassFigures("yes", 3, precision=1.0, recall=1 / 3, f1=0.5)
    assert result.loss == pytest.approx(-np.log([0.9, 0.8, 0.4, 0.01]).mean(), rel=1e-6)


def test_one_hot_truth_and_logits_are_understood() -> None:
    logits, truth = np.array([[5.0, -5.0], [-3.0, 4.0]]), np.array([[1, 0], [0, 1]])
    result = classified(lambda x: logits, (np.zeros((2, 1)), truth))
    assert (result.accuracy, result.output_kind, result.labels) == (1.0, "logits", ("0", "1"))


def test_a_class_that_never_occurs_divides_nothing() -> None:
    result = classified(lambda x: np.eye(3)[[0, 1]], (np.zeros((2, 1)), np.array([0, 1])))
    assert result.per_class[2] == ClassFigures("2", 0, precision=None, recall=None, f1=None)


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
    assert oracle.calibration.expected_error == 0
    assert boaster.calibration.expected_error == pytest.approx(0.5)


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
    assert isinstance(result, measured.Regression)
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
        assert isinstance(result, measured.Evaluation)
        assert result.confusion.tolist() == [[1, 1], [0, 1]]


def test_a_quantity_is_saved_as_json(tmp_path: Path) -> None:
    result = evaluation.evaluate(lambda x: np.zeros(2), (np.zeros((2, 1)), np.array([0.5, -0.5])))
    result.save(tmp_path, np.zeros((2, 1)))
    assert json.loads((tmp_path / "evaluation.json").read_text())["mean_error"] == 0.5


def saved(tmp_path: Path, *, quantities: bool = False) -> dict[str, Any]:
    """What ``evaluation.json`` says of a small evaluation."""
    truth = np.array([0.5, -0.5, 2.5]) if quantities else np.array([0, 1, 1])
    outputs = np.zeros(3) if quantities else np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    x = np.zeros((3, 1))
    evaluation.evaluate(lambda _: outputs, (x, truth)).save(tmp_path, x)
    return dict(json.loads((tmp_path / "evaluation.json").read_text()))


@pytest.mark.parametrize("quantities", [False, True])
def test_what_is_saved_is_read_back_as_it_was(tmp_path: Path, quantities: bool) -> None:
    told = saved(tmp_path, quantities=quantities)
    found = published_evaluation.read(tmp_path)
    assert isinstance(found, PublishedRegression if quantities else PublishedClassification)
    assert found.as_json() == told
    assert found.count == 3


def test_a_published_classification_knows_its_labels_and_how_many_were_wrong(tmp_path: Path) -> None:
    saved(tmp_path)
    found = published_evaluation.read(tmp_path)
    assert isinstance(found, PublishedClassification)
    assert (found.labels, found.wrong) == (("0", "1"), 1)


def test_a_version_without_an_evaluation_has_none(tmp_path: Path) -> None:
    assert published_evaluation.read(tmp_path) is None


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("count", -1, "count must be"),
        ("count", "3", "count must be"),
        ("count", True, "count must be"),
        ("accuracy", None, "accuracy must be a number"),
        ("interval", [0.5], "interval must be two numbers"),
        ("confusion", [[1, 0]], "confusion must be a row and a column"),
        ("confusion", [[1, 0], [2]], "confusion must be a row and a column"),
        ("confusion", [[1, 0], [2, -1]], "confusion must be rows"),
        ("confusion", [[1, 0], [2, 1.5]], "confusion must be rows"),
        ("confusion", "all", "confusion must be rows"),
        ("per_class", {"0": 1}, "per_class must be a list of objects"),
        ("per_class", [], "confusion must be a row and a column"),
        ("worst", [[1, 2]], "worst must be a list of objects"),
        (
            "worst",
            [{"index": 0, "true": 2, "predicted": 0, "probability": 0.9}],
            r"worst\[0\].true must be one",
        ),
        ("worst", [{"index": 0, "true": 0, "predicted": -1, "probability": 0.9}], r"worst\[0\].predicted"),
        ("calibration", {"bins": []}, "calibration.expected_error must be a number"),
    ],
)
def test_an_evaluation_that_is_not_whole_is_refused_by_the_name_of_its_field(
    tmp_path: Path, key: str, value: object, said: str
) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({**saved(tmp_path), key: value}))
    with pytest.raises(ModelRefused, match=f"evaluation.json: {said}"):
        published_evaluation.read(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [("mean_error", None), ("count", 1.5), ("worst", [{"index": 0, "true": 1.5, "predicted": [1]}])],
)
def test_a_regression_that_is_not_whole_is_refused(tmp_path: Path, key: str, value: object) -> None:
    (tmp_path / "evaluation.json").write_text(json.dumps({**saved(tmp_path, quantities=True), key: value}))
    with pytest.raises(ModelRefused, match=r"evaluation\.json: "):
        published_evaluation.read(tmp_path)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b"[" * 100_000, b"null"])
def test_a_file_that_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "evaluation.json").write_bytes(content)
    with pytest.raises(ModelRefused, match=r"evaluation\.json"):
        published_evaluation.read(tmp_path)
