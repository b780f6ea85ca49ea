"""What a model's outputs are decides what they mean: one or many, probabilities, logits, quantities."""

import io
import json
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from backend.deployments.manifests import read_whole
from tests.backend import bright, making
from tests.backend.client import Client
from workbench import scores
from workbench.manifest import FILE, write_listing
from workbench.models import evaluation

BEARER = {"Authorization": f"Bearer {making.TOKEN}"}
TRULY = {
    "softmax": "probabilities",
    "logits": "logits",
    "sigmoids": "independent",
    "sigmoid": "probabilities",
    "logit": "logits",
    "small logit": "logits",
    "quantity": "values",
}
DARK, LIGHT = bright.picture(20), bright.picture(235)
PNG = {"Content-Type": "image/png", "Accept": "application/json"}


def deploy(
    client: Client, tmp_path: Path, kind: str, told: str, classes: int, labels: tuple[str, ...]
) -> None:
    push(client, bright.version(tmp_path / "it", kind, told, classes, labels))


def push(client: Client, made: Path) -> None:
    body = making.zipped(made, made.parent / "it.zip")
    pushed = client.put("/models/bright/versions/1", data=body, headers=BEARER)
    assert pushed.status_code == 201, pushed.text
    assert client.post("/models/bright:activate", json={"version": 1}, headers=BEARER).status_code == 200


@pytest.mark.parametrize("told", ["truly", "values"])
@pytest.mark.parametrize(
    ("kind", "classes"),
    [
        ("softmax", 3),
        ("logits", 2),
        ("logits", 26),
        ("sigmoids", 3),
        ("sigmoid", 2),
        ("logit", 2),
        ("small logit", 2),
    ],
)
def test_a_drawing_gets_its_class_and_probabilities(
    client: Client, tmp_path: Path, kind: str, classes: int, told: str
) -> None:
    labels = tuple(f"class {n}" for n in range(classes))
    deploy(client, tmp_path, kind, TRULY[kind] if told == "truly" else told, classes, labels)
    for picture, wanted in ((DARK, 0), (LIGHT, classes - 1)):
        said = client.post("/predict", data=picture, headers=PNG).json
        assert (said["digit"], said["label"]) == (wanted, labels[wanted])
        assert len(said["probabilities"]) == classes
        assert sum(said["probabilities"]) == pytest.approx(1, abs=1e-4)
        assert int(np.argmax(said["probabilities"])) == wanted
        assert client.post("/predict", data=making.data_url(picture)).text == labels[wanted]
        served = client.post(
            "/serve", data={"image": (io.BytesIO(picture), "it.png"), "modelName": "bright"}
        ).json
        assert (served["class"], served["label"], served["kind"]) == (wanted, labels[wanted], "probabilities")
        assert served["scores"] == pytest.approx(said["probabilities"], abs=1e-5)


def test_a_picture_gets_what_each_output_says(client: Client, tmp_path: Path) -> None:
    made = bright.version(tmp_path / "it", "logits", "logits", 2)
    model = onnx.load(made / "model.onnx")
    model.graph.node.append(helper.make_node("ReduceMean", ["x"], ["light"], axes=[1]))
    model.graph.output.append(helper.make_tensor_value_info("light", TensorProto.FLOAT, ["n", 1]))
    onnx.save(model, made / "model.onnx")
    with np.load(made / "examples.npz") as kept:
        x, y = kept["x"], kept["y"]
    light = x.reshape(len(x), -1).mean(1, keepdims=True)
    np.savez(made / "examples.npz", x=x, **{"y.output": y, "y.light": light.astype(np.float32)})
    grade = {"name": "output", "kind": "logits", "shape": [2], "labels": ["dark", "bright"]}
    outputs = [grade, {"name": "light", "kind": "values", "shape": [1]}]
    told = json.loads((made / FILE).read_text())
    write_listing(
        made, {**told, "output": {"name": "output", "kind": "logits", "shape": [2]}, "outputs": outputs}
    )
    push(client, made)
    form = {"image": (io.BytesIO(LIGHT), "it.png"), "modelName": "bright"}
    said = client.post("/serve", data=form).json
    assert (said["class"], said["label"], said["kind"]) == (1, "bright", "probabilities")
    assert said["outputs"]["light"]["scores"] == pytest.approx([235], abs=0.01)
    form = {"image": (io.BytesIO(LIGHT), "it.png"), "modelName": "bright", "output": "light"}
    assert client.post("/serve", data=form).json["scores"] == pytest.approx([235], abs=0.01)
    form = {"image": (io.BytesIO(LIGHT), "it.png"), "modelName": "bright", "output": "size"}
    refused = client.post("/serve", data=form)
    assert "it has: output, light" in refused.json["error"]["message"]


def test_one_logit_becomes_both_probabilities(client: Client, tmp_path: Path) -> None:
    deploy(client, tmp_path, "logit", "logits", 2, ("dark", "bright"))
    said = client.post("/predict", data=LIGHT, headers=PNG).json
    z = 8 * (235 / 255 - 0.5)
    assert said["probabilities"] == pytest.approx([1 - 1 / (1 + np.exp(-z)), 1 / (1 + np.exp(-z))], abs=1e-5)


@pytest.mark.parametrize("labels", [(), ("yes",), ("a", "b", "c")])
def test_labels_that_are_not_one_a_class_are_not_told(
    client: Client, tmp_path: Path, labels: tuple[str, ...]
) -> None:
    deploy(client, tmp_path, "sigmoid", "probabilities", 2, labels)
    assert client.post("/predict", data=LIGHT, headers=PNG).json["label"] == "1"


def test_quantities_are_no_classes(client: Client, tmp_path: Path) -> None:
    deploy(client, tmp_path, "quantity", "values", 1, ())
    assert client.post("/predict?model=bright", data=LIGHT, headers=PNG).status_code == 422
    assert (
        client.post("/predict", data=LIGHT, headers=PNG).status_code == 503
    )  # nothing here recognises drawings
    said = client.post("/serve", data={"image": (io.BytesIO(LIGHT), "it.png"), "modelName": "bright"}).json
    assert (said["class"], said["label"], said["kind"]) == (None, None, "values")
    assert said["scores"] == pytest.approx([235], abs=0.01)
    x = np.full((1, 28, 28, 3), 100.0)
    told = client.post("/v1/models/bright:predict", json={"instances": x.tolist()}).json
    assert told["predictions"] == [pytest.approx([100], abs=0.01)]


def test_a_drawing_that_a_model_answers_without_numbers_is_refused(client: Client, tmp_path: Path) -> None:
    deploy(client, tmp_path, "no number", "logits", 2, ())
    assert client.post("/predict", data=LIGHT, headers=PNG).json["digit"] == 1
    said = client.post("/predict", data=bright.picture(0), headers=PNG)
    assert said.status_code == 422
    assert "no numbers" in said.json["error"]["message"]


@pytest.mark.parametrize("kind", bright.KINDS)
def test_what_is_published_says_what_its_outputs_are(tmp_path: Path, kind: str) -> None:
    x = np.linspace(0, 255, 50).reshape(-1, 1, 1, 1).repeat(28, 1).repeat(28, 2).repeat(3, 3)
    outputs = bright.answer(kind, 10, x)
    classes = max(2, outputs.shape[1])
    if kind == "quantity":
        result = evaluation.evaluate(lambda _: outputs, (x, x.mean((1, 2, 3))[:, None].astype(np.float32)))
    else:
        truth = np.where(x.mean((1, 2, 3)) > 127.5, classes - 1, 0)
        result = evaluation.evaluate(lambda _: outputs, (x, truth))
        assert result.metrics["accuracy"] > 0.9
    assert result.output_kind == TRULY[kind]


def test_logits_that_look_like_probabilities_are_known_by_the_loss() -> None:
    outputs = np.array([[0.1], [0.3]], np.float32)
    assert scores.measure(outputs) == "probabilities"
    assert scores.measure(outputs, says_logits=True) == "logits"
    assert scores.probabilities(outputs, "logits").argmax(1).tolist() == [1, 1]


def test_an_old_manifest_is_completed_by_its_examples(tmp_path: Path) -> None:
    for n, kind in enumerate(bright.KINDS):
        folder = bright.version(tmp_path / str(n), kind, "values")
        output = read_whole(folder).output
        assert output is not None
        assert output.kind == TRULY[kind]
