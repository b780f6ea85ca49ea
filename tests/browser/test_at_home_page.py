"""A version that was taken home answers without a network as the back end does."""

import base64
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from playwright.sync_api import Browser, expect

from backend.deployments.engines import InProcess
from tests.browser import axe
from tests.browser.chromium import open_context
from tests.browser.drawing import SEVEN, Seen, draw
from tests.chain import Chain
from tests.drawings import strokes
from workbench import doubt, drawing_page
from workbench.models import at_home, registry
from workbench.pictures.inputs import prepare

MOST_BYTES = 1_000_000
GREYS = 2
"""Of 255, by which a pixel may differ: a rounding, which the contrast then widens."""
TOLERANCE = 1e-3
"""Difference of a probability, of 99 in 100."""
DRAWINGS = 1_000
ASK = """(drawings) => {
    const { pixels, SIDE } = window.modules.picture;
    const { answer } = window.modules.main;
    const { detectorOf, judged } = window.modules.detector;
    const detector = detectorOf(window.form.doubt);
    const steps = window.modules.network.opened(window.form);
    return drawings.map((drawing) => {
        const found = answer(window.form, steps, drawing);
        const { score } = judged(detector, found.seen);
        return [btoa(String.fromCharCode(...pixels(drawing))), Array.from(found.seen), found.probabilities, score];
    });
}"""


def drawing(number: int) -> list[dict[str, Any]]:
    """A digit of any size, anywhere, with a pen of any usual width."""
    chance = np.random.default_rng(number)
    height = float(chance.uniform(60, 220))
    drawn, _ = strokes(number % 10, chance, height=height)
    x, y = chance.uniform(140 - (240 - height) / 2, 140 + (240 - height) / 2, 2)
    width = float(chance.choice([10, 15, 15, 20]))
    moved = [[[round(px + x, 1), round(py + y, 1)] for px, py in stroke[::2]] for stroke in drawn]
    return [{"width": width, "points": points} for points in moved]


def test_it_answers_a_thousand_drawings_as_the_back_end_does(
    chain: Chain, browser: Browser, tmp_path: Path
) -> None:
    version = registry.find("mnist-cnn:1", chain.settings)
    compare(version, browser, tmp_path)


def compare(version: registry.Version, browser: Browser, folder: Path) -> None:
    file = at_home.write(version, folder / "home.html")
    assert file.stat().st_size < MOST_BYTES
    context = open_context(browser, offline=True, viewport={"width": 380, "height": 780})
    try:
        page = context.new_page()
        seen = Seen(page)
        page.goto(file.as_uri())
        draw(page, SEVEN)
        expect(page.locator("#digit")).to_have_text("7")
        expect(page.locator("#bars .top")).to_contain_text("7")
        page.get_by_role("button", name="See inside").click()
        layers = page.locator(".inside-layers > li")
        expect(layers.first).to_contain_text("each made by one window of")
        expect(layers.last.locator(".inside-columns .top")).to_contain_text("7")
        expect(page.locator(".inside-alike li")).to_have_count(5)
        expect(page.locator(".inside-why p")).to_contain_text("was wiped away")
        layers.first.locator(".inside-map").first.hover()
        expect(page.locator(".inside-window")).to_have_count(2)
        assert axe.serious(page) == []
        page.keyboard.press("Escape")
        expect(page.locator("#digit")).to_be_empty()
        expect(page.locator(".inside-status")).to_contain_text("Draw something")
        page.keyboard.press("Control+z")
        expect(page.locator("#digit")).to_have_text("7")
        page.click("#clear")
        expect(page.locator("#digit")).to_be_empty()
        page.locator("canvas").scroll_into_view_if_needed()
        draw(page, [[(40, 150), (240, 130)]])
        expect(page.locator("#doubt")).to_have_text("I don't see a digit")
        expect(page.locator("#sure")).to_contain_text("If it is one:")
        expect(page.locator("#bars .top")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth") == 380
        assert seen.complaints == []
        assert [url for url in seen.requests if not url.startswith(("file:", "data:"))] == []
        plain = context.new_page()
        plain.evaluate(f"(() => {{ {drawing_page.bundle(at_home.MODULES)}; window.modules = modules; }})()")
        form = json.loads((version.folder / "browser.json").read_text())
        detector = doubt.read(version.folder)
        form["doubt"] = detector.as_json()
        plain.evaluate("(form) => { window.form = form; }", form)
        found = [
            answer
            for first in range(0, DRAWINGS, 100)
            for answer in plain.evaluate(ASK, [drawing(n) for n in range(first, first + 100)])
        ]
    finally:
        context.close()
    engine = InProcess(version.folder / "model.onnx")
    same, digits, differences = 0, 0, []
    for grey, at_home_saw, probabilities, score in found:
        there = detector.judge(np.array(at_home_saw, np.uint8).reshape(28, 28))
        assert abs(there.score - score) <= TOLERANCE
        picture = np.frombuffer(base64.b64decode(grey), np.uint8).reshape(112, 112)
        x, saw = prepare(cv2.imencode(".png", picture)[1].tobytes(), version.manifest)
        assert x is not None
        assert saw is not None
        expected = engine.predict(x)[0]
        is_same = bool(np.abs(np.array(at_home_saw).reshape(28, 28) - saw.astype(int)).max() <= GREYS)
        same += is_same
        digits += int(np.argmax(probabilities) == expected.argmax())
        if is_same:
            differences.append(np.abs(np.array(probabilities) - expected).max())
    assert same >= 0.99 * DRAWINGS
    assert digits >= 0.999 * DRAWINGS
    assert float(np.quantile(differences, 0.99)) <= TOLERANCE
