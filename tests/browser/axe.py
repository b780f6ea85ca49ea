"""What axe-core finds on a page that is open, light and dark: names, roles, contrast (https://github.com/dequelabs/axe-core)."""

from functools import cache
from importlib import resources

from playwright.sync_api import Page

SERIOUS = {"serious", "critical"}
_RUN = """async () => {
    const { violations } = await axe.run(document, { resultTypes: ["violations"] });
    return violations.map(({ id, impact, help, nodes }) => [impact, `${id}: ${help}: ${nodes.map((n) => n.target).join(", ")}`]);
}"""

_PAINTED = """(scheme) => new Promise((resolve) => {
    const look = () => requestAnimationFrame(() => (matchMedia(`(prefers-color-scheme: ${scheme})`).matches ? requestAnimationFrame(resolve) : look()));
    look();
})"""
"""Comes to an end once the page is painted in this scheme."""


@cache
def _script() -> str:
    return (resources.files("axe_playwright_python") / "axe.min.js").read_text()


def serious(page: Page, schemes: tuple[str, ...] = ("light", "dark")) -> list[str]:
    """Give what is serious or worse, each with its place."""
    page.evaluate(f"() => {{ {_script()} }}")
    found = []
    for scheme in schemes:
        page.emulate_media(color_scheme="dark" if scheme == "dark" else "light", reduced_motion="reduce")
        page.evaluate(_PAINTED, scheme)
        found += [f"{scheme}: {said}" for impact, said in page.evaluate(_RUN) if impact in SERIOUS]
    return found
