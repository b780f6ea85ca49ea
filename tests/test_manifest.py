import dataclasses
import json
from pathlib import Path

import pytest

from workbench import manifest
from workbench.errors import ModelRefused
from workbench.lineage import BeforeAfter, CorrectedPart, Parent, Share, WritersPart
from workbench.manifest import Input, Manifest, ModelOutput, Training, drawn_at

WHOLE = Manifest(
    name="mnist-cnn",
    version=7,
    created="2026-11-30T01:59:27Z",
    job=3,
    input=Input((28, 28, 1), "image", "float32", (0, 255)),
    preprocessing="mnist",
    labels=("0", "1"),
    output=ModelOutput("probabilities", (2,)),
    metrics={"accuracy": 0.99},
    training=Training(29.1, False, 4),
    frameworks={"python": "3.11.7"},
    missing={"model.tflite": "it has a Lambda layer"},
    corrections=CorrectedPart(
        1,
        ("a", "b"),
        Share(0, 2),
        Share(2, 2),
        6,
        {"accuracy": 0.9},
        {"accuracy": 0.99},
        WritersPart(3, 60, BeforeAfter(Share(15, 20), Share(19, 20))),
    ),
    parent=Parent("mnist-cnn", 6, "recipe", "it is built in another way than mnist-cnn:6"),
    doubt="doubt.json",
)


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_bytes(b"weights")
    written = dataclasses.replace(WHOLE, files=manifest.list_files(tmp_path))
    manifest.write(tmp_path, written)
    assert manifest.read(tmp_path) == written
    told = json.loads((tmp_path / "manifest.json").read_text())
    assert list(told) == [
        *("format", "name", "version", "created", "job", "input", "preprocessing", "labels", "output"),
        *("metrics", "training", "frameworks", "missing", "corrections", "parent", "doubt", "files"),
    ]
    assert told["input"] == {"kind": "image", "shape": [28, 28, 1], "dtype": "float32", "range": [0, 255]}
    assert told["training"] == {"seconds": 29.1, "stopped": False, "epochs": 4}
    assert told["files"]["model.keras"]["bytes"] == 7


def test_what_is_not_known_here_is_kept() -> None:
    parsed = Manifest.parse({**WHOLE.as_json(), "licence": {"name": "MIT"}})
    assert parsed.as_json()["licence"] == {"name": "MIT"}
    assert dataclasses.replace(parsed, others={}) == WHOLE


@pytest.mark.parametrize(
    "told",
    [
        {"name": 3},
        {"version": "7"},
        {"version": True},
        {"job": "3"},
        {"input": []},
        {"input": {}},
        {"input": {"shape": [28, 0]}},
        {"input": {"shape": [28, 28], "range": [1]}},
        {"input": {"shape": "28"}},
        {"labels": None},
        {"labels": [0, 1]},
        {"preprocessing": "rot13"},
        {"metrics": {"accuracy": "high"}},
        {"training": {"stopped": "no"}},
        {"missing": {"model.onnx": None}},
        {"files": {"model.onnx": {"bytes": 3}}},
        {"files": []},
        {"corrections": {"used": []}},
        {"corrections": {"version": 1, "used": [], "writers": {"learned": 1}}},
        {"parent": {"name": "mnist-cnn"}},
        {"parent": {"name": "mnist-cnn", "version": 1, "start": "luck"}},
        {"doubt": {"limit": 0.5}},
    ],
)
def test_a_value_that_cannot_be_is_refused_with_its_name(told: dict[str, object]) -> None:
    with pytest.raises(ModelRefused, match=rf"the manifest's {next(iter(told))}.* must be .*Received"):
        Manifest.parse(told)


def test_a_manifest_that_nests_without_end_is_refused(tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(ModelRefused):
        manifest.read(tmp_path)


DRAWN = Input((28, 28, 1), "image", "float32", (0, 255))


@pytest.mark.parametrize(
    ("made", "takes", "recognises"),
    [
        (WHOLE, True, True),
        (Manifest(), True, True),
        (Manifest(input=DRAWN, output=ModelOutput("values", (1,))), True, False),
        (Manifest(input=DRAWN, output=ModelOutput("values", (28, 28, 1))), False, False),
        (Manifest(input=Input((128, 1), "array", "float32")), False, False),
        (Manifest(input=Input((28, 28, 4), "image", "float32")), False, False),
        (
            Manifest(inputs=(dataclasses.replace(DRAWN, name="a"), dataclasses.replace(DRAWN, name="b"))),
            False,
            False,
        ),
    ],
)
def test_who_can_be_drawn_at_is_told_by_what_goes_in_and_comes_out(
    made: Manifest, takes: bool, recognises: bool
) -> None:
    assert (drawn_at.takes_pictures(made), drawn_at.recognises(made)) == (takes, recognises)
