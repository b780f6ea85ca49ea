"""What the workbench's first page is told, and the way back to it."""

import pytest
from playwright.sync_api import Page

from tests.browser.page_modules.running import run

pytestmark = pytest.mark.usefixtures("browser")


def test_who_came_from_the_workbench_gets_back_to_it_on_the_same_host_alone(page: Page) -> None:
    def back(search: str) -> str:
        place = {"protocol": "https:", "hostname": "[::1]", "search": search}
        return str(run(page, "back", "(m, place) => m.wayBack(place)", place))

    assert back("?dashboard=8888") == "https://[::1]:8888/workbench"
    for odd in (
        "",
        "?dashboard=",
        "?dashboard=65536",
        "?dashboard=evil.example",
        "?dashboard=80/x",
        "?dashboard=@",
    ):
        assert back(odd) == ""


def test_the_last_drawing_is_kept_for_the_first_page_alone(page: Page) -> None:
    answer = {
        "digit": 7,
        "probabilities": [0.0] * 7 + [0.9984, 0, 0],
        "seen": "data:image/png;base64,iVBOR+/=",
    }
    kept = run(page, "remember", "(m, a) => m.lastDrawing(a, 1700000000400)", answer)
    assert kept.startswith("workbench_drawing=7.0.998.1700000000.iVBOR+/=; path=/workbench; ")
    for odd in (
        {"digit": None},
        {"seen": "https://elsewhere.example/7.png"},
        {"seen": None},
        {"seen": "data:image/png;base64," + "A" * 9000},
    ):
        assert run(page, "remember", "(m, a) => m.lastDrawing(a, 0)", {**answer, **odd}) == ""
    assert page.evaluate("document.cookie") == ""  # this page gets none of them
