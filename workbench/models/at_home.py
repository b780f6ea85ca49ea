"""A version as one HTML file that draws, fits and answers by itself, on a phone without a network too."""

import base64
import hashlib
import html
import json
import re
from pathlib import Path

from workbench import doubt, drawing_page, film
from workbench.artifact import BROWSER
from workbench.errors import BadInput, ModelRefused
from workbench.models.registry import Version
from workbench.system import files

MODULES = (
    *drawing_page.SHEET,
    *("elements", "percent", "doubt", "home/fit"),
    *drawing_page.INSIDE,
    *("film/frames", "home/detector", "home/main"),
)
"""Of the drawing page, in the order in which they need each other."""
EXAMPLES = 100
"""Of what it learned from, so that a page of the tutorial's net stays below 1 MB."""


def read(version: Version) -> dict[str, object]:
    """The form of a version that can be taken home.

    Raises
    ------
    BadInput
        It cannot; the message says why.
    """
    manifest = version.manifest
    refused = f"{version} cannot be taken home as a page: "
    try:
        takes = manifest.takes
    except ModelRefused as error:
        raise BadInput(f"{refused}{error}") from error
    if manifest.preprocessing != "mnist" or takes.sizes != (28, 28, 1):
        raise BadInput(
            f"{refused}the page fits drawings as MNIST's digits are, to 28×28, but this version takes "
            f"{takes.show_shape()} with the preprocessing {manifest.preprocessing}"
        )
    try:
        form = json.loads((version.folder / BROWSER).read_text())
    except FileNotFoundError as error:
        raise BadInput(f"{refused}it was published before there was such a form; publish it again") from error
    except (OSError, ValueError) as error:
        raise BadInput(f"{refused}its {BROWSER} cannot be read ({error}); publish it again") from error
    if reason := form.get("missing"):
        raise BadInput(f"{refused}{reason}")
    return dict(form)


def write(version: Version, destination: Path) -> Path:
    """Write the page; the destination has it whole or is left as it was.

    Raises
    ------
    BadInput
        The version cannot be taken home; the message says why.
    """
    text = page(version)
    with files.replacing(destination) as aside:
        aside.write_text(text)
    return destination


def page(version: Version) -> str:
    """The page as text."""
    form = {
        **read(version),
        **film.read_examples(version.folder, version.manifest.labels, EXAMPLES),
        **_detector(version),
    }
    script = drawing_page.bundle(MODULES) + f"\nmodules['main'].begin({_inline(form)});\n"
    style = drawing_page.style("home/page") + drawing_page.style("inside/panel")
    accuracy = version.manifest.accuracy
    right = f", {100 * accuracy:.2f} % right on its held-out part" if accuracy is not None else ""
    values = {
        "NAME": html.escape(str(version)),
        "ABOUT": html.escape(f"{version}{right}. Any size, anywhere."),
        "STYLE-SUM": _sum(style),
        "SCRIPT-SUM": _sum(script),
        "STYLE": style,
        "SCRIPT": script,
    }
    template = (drawing_page.STATIC / "home" / "page.html.template").read_text()
    return re.sub(r"@([A-Z-]+)@", lambda found: values[found[1]], template)


def _detector(version: Version) -> dict[str, object]:
    """What tells that a drawing is no single digit, if the version brings it."""
    if version.manifest.labels != doubt.DIGITS:
        return {}
    try:
        return {"doubt": doubt.read(version.folder).as_json()}
    except ModelRefused:
        return {}


def _inline(form: object) -> str:
    """JSON that may stand within a script."""
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _sum(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
