"""A pure function of the page's modules, called in the browser that runs it."""

from typing import Any

from playwright.sync_api import Page


def run(page: Page, module: str, code: str, *arguments: Any) -> Any:
    """What a function of ``(m, ...arguments)`` gives, ``m`` being the module."""
    script = f"([args]) => import('/static/{module}.js').then((m) => ({code})(m, ...args))"
    return page.evaluate(script, [list(arguments)])


def stroke(*points: tuple[float, float], width: float = 15) -> dict[str, Any]:
    return {"width": width, "points": [list(point) for point in points]}
