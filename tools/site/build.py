"""Builds the documentation site into ``build/docs``: the pages of ``docs/``, and a reference made from the code.

``python -m tools.site.build [FOLDER]``. Nothing is fetched, neither by the build nor by the pages.
"""

import argparse
import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import workbench
from workbench import errors
from workbench.cli import make_parser

ROOT = Path(__file__).resolve().parent.parent.parent
DOCS = ROOT / "docs"
BESIDE = ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
"""Pages of the project's top that are pages of the site, too."""
PARTS = {
    "Tutorial": ("first_five_minutes.md",),
    "How to": (
        "notebooks.md",
        "recipes.md",
        "datasets.md",
        "cluster.md",
        "sweeps.md",
        "serving_page.md",
        "serving.md",
        "dashboard.md",
        "frontend.md",
        "aws.md",
        "demo_aws.md",
    ),
    "Reference": (
        "reference/command-line.md",
        "reference/python.md",
        "commands.md",
        "python.md",
        "settings.md",
        "backend.md",
    ),
    "Explanation": (),
    "The project": ("CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "dependencies.md"),
}
"""What a page is for; all that stand nowhere explain."""
_LINK = re.compile(r"(?<!!)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^(```|~~~)", re.MULTILINE)


def main() -> int:
    """Build; the exit code is 1 where a link leads nowhere or a docstring cannot be read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=ROOT / "build" / "docs")
    folder = parser.parse_args().folder
    write_sources(folder / "source")
    from sphinx.cmd.build import build_main

    os.environ["SOURCE_DATE_EPOCH"] = "0"  # two builds of the same pages are the same
    options = ["-q", "-W", "--keep-going", "-c", str(Path(__file__).parent), "-d", str(folder / "doctrees")]
    code = build_main([*options, str(folder / "source"), str(folder / "html")])
    if code == 0:
        print(f"the documentation is {folder / 'html' / 'index.html'}", file=sys.stderr)
    return code


def write_sources(folder: Path) -> None:
    """Write the site's pages as Markdown."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(DOCS, folder)
    for name in BESIDE:
        shutil.copyfile(ROOT / name, folder / name)
    for page in sorted(folder.rglob("*.md")):
        origin = ROOT if page.name in BESIDE else DOCS / page.relative_to(folder).parent
        page.write_text(_relink(page.read_text(), origin, page.parent, folder))
    (folder / "reference").mkdir()
    (folder / "reference" / "command-line.md").write_text("\n".join(command_line()))
    (folder / "reference" / "python.md").write_text("\n".join(python()))
    (folder / "index.md").write_text("\n".join(_index(folder)))


def _relink(text: str, origin: Path, place: Path, site: Path) -> str:
    """Let links between pages be links of the site; what names a file of the code names it in words."""

    def replace(found: re.Match[str]) -> str:
        words, target = found.groups()
        if re.match(r"[a-z]+:|#", target):
            return found[0]
        path, _, part = target.partition("#")
        there = (origin / path).resolve()
        if not there.exists():
            raise SystemExit(f"{place.relative_to(site) / '…'}: [{words}]({target}) leads nowhere")
        if there.suffix == ".md" and (
            there.is_relative_to(DOCS) or (there.name in BESIDE and there.parent == ROOT)
        ):
            page = site / (there.relative_to(DOCS) if there.is_relative_to(DOCS) else there.name)
            return f"[{words}]({os.path.relpath(page, place)}{f'#{part}' if part else ''})"
        if there.is_relative_to(DOCS) and there.is_file():
            return found[0]
        name = there.relative_to(ROOT).as_posix()
        return words if words.strip("`") in name else f"{words} (`{name}`)"

    # Examples in fences stay as they are.
    parts = _FENCE.split(text)
    return "".join(
        part if part in ("```", "~~~") or n // 2 % 2 else _LINK.sub(replace, part)
        for n, part in enumerate(parts)
    )


def _index(folder: Path) -> Iterator[str]:
    yield "# Workbench\n"
    yield (
        "From a browser, with or without a cloud account: get machines, train a Keras model on them, watch it learn, get\n"
        "the model, put it behind a back end, and draw digits at it.\n"
    )
    named = {page for pages in PARTS.values() for page in pages}
    rest = sorted(
        page.name
        for page in folder.glob("*.md")
        if page.name not in named and page.name not in (*BESIDE, "index.md")
    )
    for part, pages in PARTS.items():
        shown = pages or (*rest, "performance/README.md", "decisions/README.md")
        yield f"\n## {part}\n\n```{{toctree}}\n:hidden:\n:caption: {part}\n"
        yield "\n".join(page.removesuffix(".md") for page in shown)
        yield "```\n"
        yield "\n".join(f"- [](/{page})" for page in shown)
    yield "\n```{toctree}\n:hidden:\n:glob:\n\ndecisions/[0-9]*\nperformance/[a-z]*\n```"


def command_line() -> Iterator[str]:
    """Describe each command as its own ``--help`` does."""
    _, verbs = make_parser()
    yield "# Commands and their options\n\nAs each command says of itself with `--help`; [](../commands.md) says more of what they do.\n"
    for name, parser in verbs.parsers.items():
        yield f"## {name}\n"
        yield "```text"
        yield parser.format_help().rstrip()
        yield "```\n"


def python() -> Iterator[str]:
    """Describe what ``import workbench`` offers, and the errors, from their docstrings."""
    yield "# Names of the package\n\nWhat `import workbench` offers; [](../python.md) shows how it is used.\n"
    for name in workbench.__all__:
        found = getattr(workbench, name)
        module = getattr(found, "__module__", None)
        if name.startswith("__"):
            continue
        place = f"{module}.{name}" if module and module.startswith("workbench.") else _room(name)
        kind = "class" if isinstance(found, type) else "function"
        yield f"```{{eval-rst}}\n.. auto{kind}:: {place}\n{'   :members:' if kind == 'class' else ''}\n```\n"
    yield "## Errors\n"
    yield f"```text\n{(errors.__doc__ or '').strip()}\n```"


def _room(name: str) -> str:
    """Where the call is that a package of the same name hides."""
    place = next(place for place, names in workbench._PLACES.items() if name in names)
    return f"workbench.api.{place}.{name}"


if __name__ == "__main__":
    sys.exit(main())
