"""Several things beside each other, a column each, as HTML. Pure functions."""

from collections.abc import Mapping, Sequence
from html import escape


def table(label: str, heads: Sequence[str], rows: Sequence[tuple[str, Sequence[str]]]) -> str:
    """Tabulate cells of HTML by row, under a head for each column."""
    head = "".join(f'<th scope="col">{escape(h)}</th>' for h in heads)
    body = "".join(
        f'<tr{_same(cells)}><th scope="row">{escape(term)}</th>{"".join(f"<td>{cell}</td>" for cell in cells)}</tr>'
        for term, cells in rows
    )
    return (
        f'<div class="wb-scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="wb-list wb-beside">'
        f"<thead><tr><td></td>{head}</tr></thead><tbody>{body}</tbody></table></div>"
    )


def _same(cells: Sequence[str]) -> str:
    return ' class="wb-same"' if len(cells) > 1 and len(set(cells)) == 1 else ""


def mark(text: str, best: bool) -> str:
    """Set the best of a row off from the others."""
    return f"<b>{escape(text)}</b>" if best else escape(text)


def verdict(metrics: Sequence[Mapping[str, float]]) -> str:
    """Say whether the difference of the best two can be chance.

    >>> verdict([{"accuracy": 0.9, "low": 0.88, "high": 0.92}, {"accuracy": 0.95, "low": 0.93, "high": 0.97}])
    'The intervals do not overlap: the difference is hardly chance.'
    """
    known = sorted((m for m in metrics if m.get("low") is not None), key=lambda m: -m["accuracy"])[:2]
    if len(known) < 2:
        return "There is nothing to compare the accuracy with."
    if known[1]["high"] < known[0]["low"]:
        return "The intervals do not overlap: the difference is hardly chance."
    return "The intervals overlap: with other examples the order may be another one."
