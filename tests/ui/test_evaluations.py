import json
from pathlib import Path

import numpy as np
import pytest

from workbench.manifest import Manifest
from workbench.models.evaluation import evaluate
from workbench.models.measured import SeveralOutputs
from workbench.ui import evaluations
from workbench.ui.serving.models import comparison_views
from workbench.verbs.models import Version


def version(folder: Path, number: int = 1, *, quantities: bool = False) -> Version:
    """A version with an evaluation of three examples."""
    truth = np.array([0.5, -0.5, 2.5]) if quantities else np.array([0, 1, 1])
    outputs = np.zeros(3) if quantities else np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]])
    found = evaluate(lambda _: outputs, (np.zeros((3, 1)), truth), () if quantities else ("no", "<yes>"))
    found.save(folder, np.zeros((3, 1)))
    return Version("net", number, folder, Manifest.parse({"metrics": found.metrics}))


def test_a_published_classification_shows_its_share_and_what_was_mistaken(tmp_path: Path) -> None:
    shown = evaluations.published(version(tmp_path))

    assert "66.67" in shown
    assert "3 examples that it had never seen, 1 of them wrong" in shown
    assert "&lt;yes&gt;" in shown
    assert "<yes>" not in shown


def test_pictures_are_called_pictures(tmp_path: Path) -> None:
    plain = version(tmp_path)
    image: dict[str, object] = {"input": {"kind": "image", "shape": [28, 28, 1], "dtype": "uint8"}}
    manifest = Manifest.parse({"metrics": plain.manifest.metrics, **image})
    assert "3 pictures that" in evaluations.published(Version("net", 1, tmp_path, manifest))


def test_a_published_regression_shows_its_error(tmp_path: Path) -> None:
    assert "root mean square error. 3 examples" in evaluations.published(version(tmp_path, quantities=True))


def test_of_several_outputs_each_is_shown_under_its_name(tmp_path: Path) -> None:
    answers = {
        "grade": np.array([[0.9, 0.1], [0.2, 0.8], [0.6, 0.4]]),
        "<size>": np.zeros((3, 1)),
        "picture": np.zeros((3, 2, 2, 1)),
        "unmeasured": np.zeros((3, 1)),
    }
    truth = {
        "grade": np.array([0, 1, 1]),
        "<size>": np.array([0.5, -0.5, 2.5]),
        "picture": np.ones((3, 2, 2, 1)),
    }
    found = evaluate(lambda _: answers, (np.zeros((3, 1)), truth), {"grade": ("low", "high")})
    assert isinstance(found, SeveralOutputs)
    found.save(tmp_path, np.zeros((3, 1)))
    manifest = Manifest(metrics=found.metrics, output=found.main, outputs=found.told)
    shown = evaluations.published(Version("net", 1, tmp_path, Manifest.parse(manifest.as_json())))
    heads = [shown.index(f"<h4>{name}</h4>") for name in ("grade", "&lt;size&gt;", "picture")]
    assert heads == sorted(heads)
    assert "high" in shown[: heads[1]]
    assert "root mean square error. 3 examples" in shown[heads[1] : heads[2]]
    assert "root mean square error. 3 examples" in shown[heads[2] :]
    assert "unmeasured" not in shown


@pytest.mark.parametrize("content", ["{", "[]", "{}", '{"confusion": [[1]]}', json.dumps({"count": "<b>"})])
def test_an_evaluation_that_cannot_be_read_is_told_and_the_others_are_shown(
    tmp_path: Path, content: str
) -> None:
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    for folder in (broken, whole):
        folder.mkdir()
    first, second = version(broken), version(whole, 2)
    (broken / "evaluation.json").write_text(content)

    assert "The evaluation of net:1 cannot be read: evaluation.json" in evaluations.published(first)
    assert "<b>" not in evaluations.published(first)
    assert "By class" in comparison_views.comparison([first, second])


def test_a_version_without_an_evaluation_shows_none(tmp_path: Path) -> None:
    bare = Version("net", 1, tmp_path, Manifest.parse({}))

    assert evaluations.published(bare) == ""
    assert "By class" not in comparison_views.comparison([bare, bare])
