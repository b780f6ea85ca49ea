"""A version as one HTML file that draws, fits and answers by itself, on a phone without a network too."""

import base64
import hashlib
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path

from workbench.artifact import BROWSER
from workbench.errors import BadInput, ModelRefused
from workbench.models.registry import Version
from workbench.settings import PROJECT
from workbench.system import files

STATIC = PROJECT / "frontend" / "static"
MODULES = ("drawing", "paper", "percent", "picture", "home/fit", "home/network", "home/main")
"""Of the drawing page, in the order in which they need each other."""
_IMPORT = re.compile(r'^import (\{[^}]*\}|\* as \w+) from "[./]*([\w/]+)\.js";$', re.MULTILINE)
_EXPORT = re.compile(r"^export (?:async )?(?:const|function\*?) (\w+)", re.MULTILINE)


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
    form = read(version)
    script = bundle() + f"\nmodules['main'].begin({_inline(form)});\n"
    style = (STATIC / "home" / "page.css").read_text()
    accuracy = version.manifest.accuracy
    right = f", {100 * accuracy:.2f}% right on its held-out part" if accuracy is not None else ""
    values = {
        "NAME": html.escape(str(version)),
        "ABOUT": html.escape(f"{version}{right}. Any size, anywhere."),
        "STYLE-SUM": _sum(style),
        "SCRIPT-SUM": _sum(script),
        "STYLE": style,
        "SCRIPT": script,
    }
    template = (STATIC / "home" / "page.html.template").read_text()
    return re.sub(r"@([A-Z-]+)@", lambda found: values[found[1]], template)


def bundle(paths: Sequence[str] = MODULES) -> str:
    """The modules of the page as one script: each a function that gives what it exports."""
    parts = ["const modules = {};"]
    for path in paths:
        source = (STATIC / f"{path}.js").read_text()
        names = _EXPORT.findall(source)
        source = _IMPORT.sub(
            lambda found: (
                f'const {found[1].removeprefix("* as ")} = modules["{found[2].rpartition("/")[2]}"];'
            ),
            source,
        )
        source = re.sub(r"^export ", "", source, flags=re.MULTILINE)
        name = path.rpartition("/")[2]
        parts.append(f'modules["{name}"] = (() => {{\n{source}\nreturn {{ {", ".join(names)} }};\n}})();')
    return "\n".join(parts)


def _inline(form: object) -> str:
    """JSON that may stand within a script."""
    return json.dumps(form, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")


def _sum(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
