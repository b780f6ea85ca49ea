"""Functions of the widgets' modules, each asked by itself."""

import itertools
import json
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.chromium import open_context
from workbench.ui.widgets import theme


@pytest.fixture(scope="module")
def blank(browser: Browser) -> Iterator[Page]:
    context = open_context(browser)
    yield context.new_page()
    context.close()


def evaluate(page: Page, name: str, expression: str) -> object:
    """The value of an expression over what a widget's module exports."""
    page.goto("about:blank")
    return page.evaluate(
        """async ([source, expression]) => {
            const url = URL.createObjectURL(new Blob([source], { type: "text/javascript" }));
            return new Function("module", `return ${expression}`)(await import(url));
        }""",
        [theme.esm("words") + theme.esm(name), expression],
    )


def test_a_window_holds_what_is_seen_and_a_little_more(blank: Page) -> None:
    assert evaluate(blank, "table", "module.windowOf(0, 420, 42, 10000)") == {"first": 0, "count": 20}
    assert evaluate(blank, "table", "module.windowOf(42000, 420, 42, 10000)") == {"first": 990, "count": 30}
    assert evaluate(blank, "table", "module.windowOf(0, 420, 42, 3)") == {"first": 0, "count": 20}


def test_figures_are_written_as_people_read_them(blank: Page) -> None:
    said = "[0.5, 36, 95, 7260, 90000].map(module.duration)"
    assert evaluate(blank, "table", said) == ["under 1 s", "36 s", "1 min 35 s", "2 h 1 min", "1 d 1 h"]
    assert evaluate(blank, "table", "[2, 90, 7300].map(s => module.ago(1e9 - s, 1e9))") == [
        "just now",
        "1 min ago",
        "2 h ago",
    ]
    assert evaluate(blank, "table", "[module.money(0), module.money(0.012), module.money(3.5)]") == [
        "free",
        "$0.012",
        "$3.50",
    ]
    assert evaluate(blank, "table", "module.words(null, 'share')") == "–"


def test_the_address_carries_what_the_page_wants_and_never_the_token_away(blank: Page) -> None:
    href = "'http://h/voila/render/a.ipynb?token=t&job=3'"
    assert evaluate(blank, "address", f"module.valuesOf({href})") == {"job": "3"}
    assert evaluate(blank, "address", f"module.withValues({href}, {{ recipe: 'x' }})") == (
        "http://h/voila/render/a.ipynb?token=t&recipe=x"
    )


def test_ticks_are_round_and_cover_the_range(blank: Page) -> None:
    assert evaluate(blank, "curves", "module.ticks(0, 2.3, 4)") == [0, 1, 2]
    assert evaluate(blank, "curves", "module.ticks(0.9, 1, 4).map(x => +x.toFixed(4))") == [
        0.9,
        0.925,
        0.95,
        0.975,
        1,
    ]
    assert evaluate(blank, "curves", "module.ticks(5, 5, 4)") == [5]


def test_a_chart_shows_the_start_of_a_curve_unless_it_flattens_the_rest(blank: Page) -> None:
    def found(y: list[float], percent: str) -> Any:
        return evaluate(blank, "curves", f"module.range({json.dumps([{'y': y}])}, {percent})")

    assert found([2000.0] + [0.5] * 30, "false")[1] < 1
    assert found([2.3, 1.1, 0.6] + [0.3] * 30, "false")[1] > 2.3
    for length in (1, 5, 40, 400):
        low, high = found([0.11 + 0.8 * n / length for n in range(length)], "true")
        assert (low <= 0.11, high) == (True, 1)


def test_a_noisy_curve_is_smoothed_from_its_first_value_on(blank: Page) -> None:
    noisy = [2.3 * 0.9**n + (0.2 if n % 2 else -0.2) for n in range(200)]
    smooth: Any = evaluate(blank, "curves", f"module.smooth({json.dumps(noisy)})")
    assert smooth[0] == pytest.approx(noisy[0])
    assert max(abs(a - b) for a, b in itertools.pairwise(smooth[100:])) < 0.06
    assert evaluate(blank, "curves", "module.smooth([3, 1, 2])") == [3, 1, 2]
    ramp = [n / 2 for n in range(100)]
    straight: Any = evaluate(blank, "curves", f"module.smooth({json.dumps(ramp)})")
    assert straight[:90] == pytest.approx(ramp[:90]), "the smooth line does not lag"


def test_in_a_grid_arrows_lead_to_the_neighbours(blank: Page) -> None:
    said = "['ArrowRight', 'ArrowDown', 'ArrowLeft', 'ArrowUp'].map(k => module.moved(1, k, 3, 6))"
    assert evaluate(blank, "review", said) == [2, 4, 0, 1]
