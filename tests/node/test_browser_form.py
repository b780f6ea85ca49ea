"""The form for browsers gives the model's own answers in a real browser, and names what it cannot be."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
from keras import layers
from numpy.typing import NDArray
from playwright.sync_api import sync_playwright

from backend.inside import occlusion
from tests.apart import in_a_thread
from tests.browser import chromium
from workbench import drawing_page
from workbench.artifact import BROWSER
from workbench.errors import BadInput
from workbench.layers import MeanOfViews, Views
from workbench.manifest import Input, Manifest
from workbench.models import at_home
from workbench.models.registry import Version
from workbench.node.companions import browser

TAKES = Input((28, 28, 1), "image", range=(0, 255))
TOLERANCE = 1e-4


def usual() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((28, 28, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            layers.RandomRotation(0.1),
            layers.Conv2D(4, 5, strides=2, padding="same", activation="relu"),
            layers.BatchNormalization(),
            layers.MaxPooling2D(3, strides=2, padding="same"),
            layers.SpatialDropout2D(0.2),
            layers.ZeroPadding2D(((1, 0), (0, 2))),
            layers.DepthwiseConv2D(3, depth_multiplier=2, dilation_rate=2, padding="same"),
            layers.LeakyReLU(negative_slope=0.1),
            layers.Conv2D(6, 3, dilation_rate=2, use_bias=False),
            layers.Activation("gelu"),
            layers.Flatten(),
            layers.Dropout(0.5),
            layers.Dense(12, activation="silu"),
            layers.Dense(10),
            layers.Softmax(),
        ]
    )


def joined() -> keras.Model:
    x = given = keras.Input((28, 28, 1))
    x = layers.Rescaling(1 / 255)(x)
    x = layers.AveragePooling2D(3, strides=2, padding="same")(x)
    a = layers.Conv2D(4, 3, padding="same", activation="elu")(x)
    b = layers.Conv2D(4, 1, activation="tanh")(x)
    x = layers.Concatenate()([layers.Add()([a, b]), layers.Multiply()([a, b])])
    x = layers.BatchNormalization(scale=False)(x)
    x = layers.ReLU(max_value=1.5, negative_slope=0.2, threshold=0.1)(x)
    x = layers.GlobalAveragePooling2D()(x)
    x = layers.Dense(6, activation="sigmoid")(x)
    return keras.Model(given, layers.Dense(10, activation="softmax")(x))


def within() -> keras.Model:
    block = keras.Sequential(
        [layers.Conv2D(3, 3, activation="selu"), layers.GlobalMaxPooling2D(keepdims=True)]
    )
    answers = [layers.Reshape((3,)), layers.Dense(10, activation="softmax")]
    return keras.Sequential([keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), block, *answers])


def residual() -> keras.Model:
    given = keras.Input((28, 28, 1))
    x = layers.Conv2D(4, 3, padding="same", strides=2)(given)
    x = layers.BatchNormalization()(x)
    y = layers.Conv2D(4, 3, padding="same", activation="relu")(x)
    x = layers.GlobalAveragePooling2D()(layers.ReLU()(layers.Add()([x, y])))
    return keras.Model(given, layers.Dense(10, activation="softmax")(x))


def looking() -> keras.Model:
    inner = [layers.Conv2D(4, 5, strides=2, activation="relu"), layers.Flatten(), layers.Dense(10)]
    shown = [keras.Input((28, 28, 1)), layers.Rescaling(1 / 255), Views((0, -8, 5, 20))]
    return keras.Sequential([*shown, *inner, layers.Softmax(), MeanOfViews(4)])


def settle(model: keras.Model) -> keras.Model:
    """Give all numbers a value of their own, moving averages too."""
    chance = np.random.default_rng(0)
    for weight in model.weights:
        value = chance.normal(scale=0.3, size=weight.shape)
        if weight.dtype == "float32":
            weight.assign(np.abs(value) + 0.5 if "variance" in weight.name else value)
    return model


INSIDE = ("home/network", "inside/bitmaps", "inside/computed", "inside/windows")
LOOK = """([form, pixels]) => {
    const { computed, network, windows } = window.modules;
    const steps = network.opened(form);
    const found = network.values(steps, network.input(form, pixels));
    const named = computed.describe(form, steps).layers;
    const told = computed.look(form, steps, Uint8Array.from(pixels)).layers;
    const sums = [];
    computed.layersOf(steps).forEach((layer, i) => {
        if (!named[i].kernel || ![null, "relu"].includes(layer.after)) return;
        const given = found[layer.step.takes[0]];
        const planes = computed.planesOf(given, Infinity).map(({ data }) => Array.from(data, (v) => 255 * v));
        const [rows, columns, filters] = found[layer.gives].shape;
        for (const [row, column, filter] of [[0, 0, 0], [rows - 1, columns - 1, filters - 1], [rows >> 1, columns >> 2, 1]]) {
            const from = { width: given.shape[1], height: given.shape[0], planes, range: [0, 1] };
            const { sum } = windows.windowAt(named[i].kernel, from, filter, row, column);
            const made = found[layer.gives].data[(row * columns + column) * filters + filter];
            sums.push([layer.after === "relu" ? Math.max(0, sum) : sum, made]);
        }
    });
    return [told.map(({ name, kind, after }) => [name.replace(/_\\d+$/, ""), kind, after ?? ""]), sums];
}"""
EXPLAIN = """([form, pixels]) => {
    const { computed, network } = window.modules;
    const parts = computed.explanation(form, network.opened(form), Uint8Array.from(pixels), 7);
    for (;;) {
        const { done, value } = parts.next();
        if (done) return value;
    }
}"""


def _ask_chromium(
    program: str, form: object, pictures: NDArray[np.uint8]
) -> tuple[list[list[float]], list[list[str]], list[list[float]], Any]:
    with sync_playwright() as playwright:
        chrome = chromium.launch(playwright, program)
        try:
            page = chrome.new_page()
            page.evaluate(f"(() => {{ {drawing_page.bundle(INSIDE)}; window.modules = modules; }})()")
            flat = pictures.reshape(len(pictures), -1).tolist()
            found: list[list[float]] = page.evaluate(
                """([form, pictures]) => {
                    const { opened, probabilities } = window.modules.network;
                    const steps = opened(form);
                    return pictures.map((pixels) => probabilities(form, steps, pixels));
                }""",
                [form, flat],
            )
            layers_, sums = page.evaluate(LOOK, [form, flat[0]])
            return found, layers_, sums, page.evaluate(EXPLAIN, [form, flat[1]])
        finally:
            chrome.close()


@pytest.mark.parametrize("make", [usual, joined, within, residual, looking])
def test_a_browser_computes_what_the_model_does(make: Callable[[], keras.Model], tmp_path: Path) -> None:
    program = chromium.find()
    if program is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    model = settle(make())
    browser.write(tmp_path, model, TAKES, {"labels": list("0123456789"), "output": "probabilities"})
    form = json.loads((tmp_path / BROWSER).read_text())
    x = np.random.default_rng(1).integers(0, 256, (20, 28, 28, 1)).astype(np.uint8)
    x[1, :12] = 0  # nothing is drawn there
    found, seen, sums, explained = in_a_thread(lambda: _ask_chromium(program, form, x))
    assert np.abs(np.array(found) - model.predict(x, verbose=0)).max() <= TOLERANCE
    if make is looking:
        # Its answers for parts that are wiped away are the back end's, but for what the answers differ by above.
        taken = x[1:2].astype(np.float32)
        scores = model.predict(taken, verbose=0)[0]
        expected = occlusion.explain(lambda asked: model.predict(asked, verbose=0), taken, x[1], scores, 7, 0)
        assert explained["classes"] == expected["classes"]
        assert np.abs(np.array(explained["changes"]) - np.array(expected["changes"])).max() <= 0.03
        assert np.array(explained["changes"]).any()
    # The window and the weights that the panel shows of a pixel sum up to what the network computed.
    assert len(sums) == {"usual": 3, "residual": 6, "looking": 3}.get(make.__name__, 0)
    for shown, made in sums:
        assert shown == pytest.approx(made, abs=1e-2, rel=1e-4)
    if make is usual:
        assert ["depthwise_conv2d", "convolution", "leaky relu"] in seen
    if make is residual:
        kinds = ["convolution", "convolution", "addition", "pooling", "dense"]
        assert [kind for _, kind, _ in seen] == kinds
        assert [after for *_, after in seen] == ["", "relu", "relu", "", "softmax"]


def test_what_no_step_computes_is_named(tmp_path: Path) -> None:
    def refused(*inner: Any) -> str:
        model = keras.Sequential([keras.Input((28, 28, 1)), *inner, layers.Flatten(), layers.Dense(10)])
        browser.write(tmp_path, model, TAKES, {})
        return str(json.loads((tmp_path / BROWSER).read_text())["missing"])

    assert "GroupNormalization" in refused(layers.GroupNormalization(1))
    assert "groups" in refused(layers.Conv2D(4, 1), layers.Conv2D(4, 3, groups=2))
    inner = keras.Sequential([keras.Input((28, 28, 1)), layers.Conv2D(2, 3)])
    twice = keras.Input((28, 28, 1))
    model = keras.Model(twice, layers.Add()([inner(twice), inner(twice)]))
    with pytest.raises(browser.NotForBrowsers):
        browser.steps(model, TAKES)
    assert "numbers" in refused(layers.Conv2D(300, 1))


def test_a_version_that_cannot_be_taken_home_says_why(tmp_path: Path) -> None:
    def refused(manifest: Manifest) -> str:
        with pytest.raises(BadInput) as told:
            at_home.write(Version("digits", 1, tmp_path, manifest), tmp_path / "home.html")
        return str(told.value)

    assert "preprocessing none" in refused(Manifest(input=TAKES))
    mnist = Manifest(input=TAKES, preprocessing="mnist")
    assert "publish it again" in refused(mnist)
    (tmp_path / BROWSER).write_text('{"format": 1, "missing": "look is a layer of the kind Look"}')
    assert "look is a layer of the kind Look" in refused(mnist)
    assert not (tmp_path / "home.html").exists()
