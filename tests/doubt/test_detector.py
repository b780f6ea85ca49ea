"""The file of a detector: written and read, refused where it is damaged, and what it computes."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

from workbench import doubt
from workbench.doubt import Detector, Layer
from workbench.errors import ModelRefused

SIZES = ((25, 4), (36, 5), (125, 6), (6, 12))


def make(seed: int = 0, limit: float = 0.5) -> Detector:
    """A small detector of random numbers."""
    random = np.random.default_rng(seed)
    first, second, third, last = (
        Layer(
            random.normal(0, 0.3, size).astype(np.float32), random.normal(0, 0.3, size[1]).astype(np.float32)
        )
        for size in SIZES
    )
    return doubt.parse(Detector((first, second, third, last), limit).as_json())


def slowly(detector: Detector, picture: np.ndarray) -> np.ndarray:
    """The same net, pixel by pixel."""
    first, second, third, last = detector.layers
    x = picture / 255
    look = first.weights.reshape(5, 5, -1)
    a = np.array(
        [
            [(x[2 * i : 2 * i + 5, 2 * j : 2 * j + 5, None] * look).sum((0, 1)) for j in range(12)]
            for i in range(12)
        ]
    )
    a = np.maximum(a + first.bias, 0)
    combine = second.weights.reshape(3, 3, a.shape[2], -1)
    b = np.array(
        [
            [np.einsum("ijc,ijco->o", a[2 * i : 2 * i + 3, 2 * j : 2 * j + 3], combine) for j in range(5)]
            for i in range(5)
        ]
    )
    b = np.maximum(b + second.bias, 0)
    c = np.maximum(b.ravel() @ third.weights + third.bias, 0)
    odds = np.exp(c @ last.weights + last.bias)
    return np.asarray(odds / odds.sum())


def test_what_is_written_is_what_is_read(tmp_path: Path) -> None:
    detector = make()
    doubt.write(tmp_path, detector)
    read = doubt.read(tmp_path)
    assert read.limit == detector.limit
    for one, other in zip(read.layers, detector.layers, strict=True):
        assert (one.weights == other.weights).all()
        assert (one.bias == other.bias).all()


def test_many_pictures_are_judged_as_each_alone_and_as_the_net_says() -> None:
    detector = make()
    pictures = np.random.default_rng(1).integers(0, 256, (7, 28, 28)).astype(np.uint8)
    shares = detector.shares(pictures)
    assert shares.sum(axis=1) == pytest.approx(np.ones(7), abs=1e-5)
    assert shares[0] == pytest.approx(slowly(detector, pictures[0]), abs=1e-4)
    for picture, judged, score in zip(
        pictures, detector.judge_all(pictures), detector.scores(pictures), strict=True
    ):
        alone = detector.judge(picture)
        assert alone.kind == judged.kind
        assert alone.score == pytest.approx(judged.score, abs=1e-5) == pytest.approx(float(score), abs=1e-5)


def test_the_kind_is_the_likelier_of_the_two() -> None:
    for answer, kind in ((doubt.SEVERAL, "several"), (doubt.OTHER, "no_digit")):
        *layers, last = make().layers
        bias = np.zeros(12, np.float32)
        bias[answer] = 9
        first, second, third = layers
        sure = Detector((first, second, third, Layer(last.weights * 0, bias)), 0.5)
        judged = sure.judge(np.zeros((28, 28), np.uint8))
        assert judged.kind == kind
        assert judged.score > 0.99


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("limit", "high"),
        ("limit", 0),
        ("limit", 1.5),
        ("limit", None),
        ("layers", []),
        ("layers", {}),
        ("layers", [1, 2, 3, 4]),
    ],
)
def test_a_value_that_cannot_be_is_refused(key: str, value: object) -> None:
    with pytest.raises(ModelRefused, match=rf"the doubt's {key}.* must be .*Received"):
        doubt.parse({**make().as_json(), key: value})


@pytest.mark.parametrize(
    ("number", "key", "value"),
    [
        (0, "shape", [24, 4]),
        (1, "shape", [36]),
        (2, "shape", [126, 6]),
        (3, "shape", [6, 11]),
        (0, "shape", [25, 10**9]),
        (0, "weights", "no base64!"),
        (0, "weights", "AAAA"),
        (1, "bias", None),
        (3, "bias", "/38="),  # a whole number of bytes that is no number
    ],
)
def test_a_damaged_layer_is_refused(number: int, key: str, value: object) -> None:
    told = json.loads(json.dumps(make().as_json()))
    told["layers"][number][key] = value
    with pytest.raises(ModelRefused, match=r"the doubt's layers\[\d\]"):
        doubt.parse(told)


@pytest.mark.parametrize("content", [b"", b"[1]", b"{", b'{"format": 2}', b"[" * 100_000, b"\xff\xfe"])
def test_a_file_that_is_no_detector_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / doubt.FILE).write_bytes(content)
    with pytest.raises(ModelRefused, match=doubt.FILE):
        doubt.read(tmp_path)


def test_a_file_without_end_is_not_read_whole(tmp_path: Path) -> None:
    with (tmp_path / doubt.FILE).open("wb") as file:
        file.truncate(10**10)
    with pytest.raises(ModelRefused, match="bytes"):
        doubt.read(tmp_path)
    with pytest.raises(ModelRefused, match="cannot be read"):
        doubt.read(tmp_path / "nowhere")


def test_a_number_that_is_none_is_refused() -> None:
    first, *others = make().layers
    bad = dataclasses.replace(first, bias=np.full(4, np.nan, np.float32))
    with pytest.raises(ModelRefused, match="finite"):
        doubt.parse(Detector((bad, *others), 0.5).as_json())  # type: ignore[arg-type]
