"""A folder of pictures that is filled in parts: what is newer than the code stays, what failed is told at the end."""

import html
import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, ConsoleMessage, Page
from playwright.sync_api import Error as PlaywrightError

from tests.browser import axe
from workbench.settings import PROJECT

WAIT_MS = 60_000
# High enough for the whole page: what is below the window is not measured by the editors.
LOOKS: dict[str, dict[str, Any]] = {
    "light": {"color_scheme": "light", "viewport": {"width": 1280, "height": 3600}},
    "dark": {"color_scheme": "dark", "viewport": {"width": 1280, "height": 3600}},
    "narrow": {"color_scheme": "light", "viewport": {"width": 380, "height": 6000}},
}
"""How the dashboard's pages are looked at."""
SOURCES = ("backend", "frontend", "notebooks", "recipes", "tests/browser", "tests/screenshots", "workbench")


def newest_source(project: Path = PROJECT) -> float:
    """When the code was changed that the pictures are of."""
    files = (path for source in SOURCES for path in (project / source).rglob("*") if path.is_file())
    return max(path.stat().st_mtime for path in files if "__pycache__" not in path.parts)


class Gallery:
    """Takes pictures that the folder lacks, or those that are asked for by the beginnings of their names.

    What a picture shows is looked at by axe-core too, and its console is read: what they say is in ``complaints``.
    """

    def __init__(self, folder: Path, only: Sequence[str] = (), newer_than: float | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self._only = folder, tuple(only)
        self._newer_than = newest_source() if newer_than is None else newer_than
        self.complaints: list[str] = []
        self.taken = 0

    def lacks(self, name: str) -> bool:
        """Say whether the picture has to be taken."""
        if self._only:
            return name.startswith(self._only)
        path = self._path(name)
        return not path.exists() or path.stat().st_mtime < self._newer_than

    def lacking(self, part: str, states: Iterable[str], looks: Iterable[str]) -> list[tuple[str, str]]:
        """List the states and looks of a part of which there is no picture yet, a look after the other."""
        states = tuple(states)
        pairs = [(state, look) for look in looks for state in states]
        return [(state, look) for state, look in pairs if self.lacks(named(part, state, look))]

    @contextmanager
    def attempt(self, name: str) -> Iterator[None]:
        """Go on with the next picture where this one cannot be taken."""
        try:
            yield
        except (PlaywrightError, AssertionError, OSError) as error:
            first = (str(error).strip() or type(error).__name__).splitlines()
            self.complaints.append(f"{name}: not taken: {' '.join(filter(None, first[:3]))}")

    @contextmanager
    def taking(self, browser: Browser, name: str, look: Mapping[str, Any]) -> Iterator[Page]:
        """Give a page in a context of its own, and take its picture when the block has brought it into its state."""
        with self.attempt(name):
            context = browser.new_context(**look)
            context.set_default_timeout(WAIT_MS)
            try:
                page = context.new_page()
                said = listen(page)
                yield page
                self.keep(page, name, said)
            finally:
                context.close()

    def keep(self, page: Page, name: str, said: Sequence[str] = ()) -> None:
        """Take the whole page's picture, without the ground that is below all."""
        self._path(name).write_bytes(page.screenshot(full_page=True, clip=content(page)))
        self.taken += 1
        self.complaints += [f"{name}: {line}" for line in said]
        if page.evaluate("() => !matchMedia('(forced-colors: active)').matches"):
            dark = page.evaluate("() => matchMedia('(prefers-color-scheme: dark)').matches")
            self.complaints += [
                f"{name}: {line}" for line in axe.serious(page, ("dark" if dark else "light",))
            ]
        print(name, flush=True)

    def write_index(self) -> Path:
        """Write one page on which all pictures are to be looked at, a state a row."""
        rows: dict[str, list[Path]] = {}
        for path in sorted(self.folder.glob("*.png")):
            rows.setdefault(path.stem.rpartition("_")[0], []).append(path)
        body = "".join(
            f"<h2>{html.escape(state)}</h2><div>{_links(paths)}</div>" for state, paths in rows.items()
        )
        index = self.folder / "index.html"
        index.write_text(f"<!doctype html><meta charset=utf-8><title>Screenshots</title>{STYLE}{body}")
        return index

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.png"


STYLE = """<style>
body { font: 15px sans-serif; background: #888; }
div { display: flex; gap: 12px; align-items: start; overflow-x: auto; }
img { height: 480px; }
</style>"""


def _links(paths: Iterable[Path]) -> str:
    return "".join(
        f'<a href="{path.name}" title="{path.stem}"><img loading="lazy" alt="{path.stem}" src="{path.name}"></a>'
        for path in paths
    )


def named(part: str, state: str, look: str) -> str:
    """Name a picture: its part and state, and after the line its look."""
    return f"{f'{part}-{state}'.replace('_', '-')}_{look}"


def listen(page: Page) -> list[str]:
    """Collect what the page complains of in the console; refused requests are a state's own matter."""
    said: list[str] = []

    def console(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "Failed to load resource" not in message.text:
            said.append(f"console {message.type}: {message.text.splitlines()[0][:200]}")

    page.on("console", console)
    page.on("pageerror", lambda error: said.append(f"error in the page: {str(error)[:200]}"))
    return said


_CONTENT = """() => {
    const there = [...document.body.querySelectorAll("*")].filter((one) => one.checkVisibility({ visibilityProperty: true }));
    const low = there.map((one) => one.children.length ? 0 : one.getBoundingClientRect().bottom + scrollY);
    return { width: document.documentElement.scrollWidth, height: Math.max(...low) + 24, window: innerHeight };
}"""


def content(page: Page) -> Any:
    """Give the part of the page that anything is in; a window that is higher than it leaves an empty ground."""
    found = page.evaluate(_CONTENT)
    return {"x": 0, "y": 0, "width": found["width"], "height": max(600, found["height"])}


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [int(each.getsockname()[1]) for each in sockets]
    for each in sockets:
        each.close()
    return ports


def own_ports() -> dict[str, str]:
    """Settings of three ports that are free now."""
    dashboard, front, back = map(str, free_ports(3))
    return {
        "WORKBENCH_DASHBOARD_PORT": dashboard,
        "WORKBENCH_FRONTEND_PORT": front,
        "WORKBENCH_BACKEND_PORT": back,
    }
