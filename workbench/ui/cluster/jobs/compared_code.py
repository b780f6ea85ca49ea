"""Where the code of two jobs differs, line by line and within the lines, as HTML. Pure functions."""

import re
from collections.abc import Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from html import escape

from workbench.recipes import FIELDS, REQUIREMENTS, Recipe

AROUND = 3
"""Lines of both shown before and after those that differ."""
MOST_PAIRS = 2_500
"""Pairs of lines that are looked at, of one place that changed."""
ALIKE = 0.5
"""From this share on a line that came is shown as the change of one that went."""
_PIECES = re.compile(r"\w+|\s+|.")


@lru_cache(16)
def difference(first: Recipe, second: Recipe, names: tuple[str, str]) -> str:
    """Show what of the first's code went (−) and what came (+) in the second's; whole files by their names."""
    parts = [(f"{field}.py", getattr(first, field), getattr(second, field)) for field in FIELDS]
    parts.append((REQUIREMENTS, first.requirements, second.requirements))
    differing = [(title, before, after) for title, before, after in parts if before != after]
    same = [title for title, before, after in parts if before == after and before]
    beside = _beside(first, second)
    head = f"<b>−</b> {escape(names[0])}, <b>+</b> {escape(names[1])}"
    if not differing and not beside:
        return '<p class="wb-caption">The code of both is the same, byte for byte.</p>'
    shown = "".join(
        f'<h5>{title}</h5><div class="wb-code-lines wb-diff" role="region" tabindex="0" '
        f'aria-label="Differences in {title}">{"".join(_lines(before, after))}</div>'
        for title, before, after in differing
    )
    alike = f" The same in both: {', '.join(same)}." if same else ""
    return f'<p class="wb-caption">{head}.{alike}</p>{shown}{beside}'


def _beside(first: Recipe, second: Recipe) -> str:
    """The files beside the code that only one has, or that differ."""
    before, after = ({file.path: file.sha256 for file in recipe.files} for recipe in (first, second))
    said = []
    for path in sorted(before | after):
        if before.get(path) != after.get(path):
            what = (
                "only in the first"
                if path not in after
                else "only in the second"
                if path not in before
                else "differs"
            )
            said.append(f"<li><code>{escape(path)}</code>: {what}</li>")
    return f'<h5>Files beside the code</h5><ul class="wb-caption">{"".join(said)}</ul>' if said else ""


def _lines(before: str, after: str) -> Iterator[str]:
    old, new = before.splitlines(), after.splitlines()
    groups = SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(AROUND)
    for number, group in enumerate(groups):
        if number:
            yield '<span class="wb-gap">⋯</span>'
        for kind, i, i_end, j, j_end in group:
            if kind == "equal":
                for n, text in enumerate(old[i:i_end]):
                    yield _line("", i + n + 1, j + n + 1, escape(text))
            else:
                yield from _changed(old[i:i_end], new[j:j_end], i + 1, j + 1)
    if old == new:  # the ends of the lines, or that of the last one
        yield '<span class="wb-gap">only the ends of lines differ</span>'


def _changed(old: Sequence[str], new: Sequence[str], i: int, j: int) -> Iterator[str]:
    """Lines that went and lines that came; one that became another has what changed in it marked."""
    went = _pairs(old, new)
    came = {b: a for a, b in went.items()}
    for n, text in enumerate(old):
        shown = _marked(text, new[went[n]])[0] if n in went else escape(text)
        yield _line("wb-went", i + n, None, shown)
    for n, text in enumerate(new):
        shown = _marked(old[came[n]], text)[1] if n in came else escape(text)
        yield _line("wb-came", None, j + n, shown)


def _pairs(old: Sequence[str], new: Sequence[str]) -> dict[int, int]:
    """Which line became which, in order: each the one that is most like it of those that are left."""
    pairs: dict[int, int] = {}
    if len(old) * len(new) > MOST_PAIRS:
        return pairs
    first = 0
    for i, line in enumerate(old):
        likeness = [
            (SequenceMatcher(None, line, other, autojunk=False).ratio(), -j)
            for j, other in enumerate(new[first:], first)
        ]
        most, place = max(likeness, default=(0.0, 0))
        if most >= ALIKE and line.strip():
            pairs[i], first = -place, -place + 1
    return pairs


def _marked(old: str, new: str) -> tuple[str, str]:
    a, b = _PIECES.findall(old), _PIECES.findall(new)
    before, after = "", ""
    for kind, i, i_end, j, j_end in SequenceMatcher(None, a, b, autojunk=False).get_opcodes():
        went, came = escape("".join(a[i:i_end])), escape("".join(b[j:j_end]))
        before += went if kind == "equal" or not went else f"<mark>{went}</mark>"
        after += came if kind == "equal" or not came else f"<mark>{came}</mark>"
    return before, after


def _line(kind: str, i: int | None, j: int | None, shown: str) -> str:
    sign = {"wb-went": "−", "wb-came": "+"}.get(kind, " ")
    name = f' class="{kind}"' if kind else ""
    return f"<span{name}><i>{i or ''}</i><i>{j or ''}</i><b>{sign}</b>{shown}</span>"
