"""What a model of several outputs says besides its answer."""

from html import escape

from workbench.backends.values import Classified, OutputSaid
from workbench.ui.widgets.formats import sure

SHOWN = 6
"""Numbers of an output."""


def show_outputs(said: Classified) -> str:
    """Show what each output says besides the one that the answer is; nothing where there is no other."""
    others = [one for one in said.outputs if one.name != said.output]
    rows = "".join(f"<li><b>{escape(one.name)}</b> {escape(_say(one))}</li>" for one in others)
    return f'<ul class="wb-outputs" aria-label="The other outputs">{rows}</ul>' if rows else ""


def _say(one: OutputSaid) -> str:
    if one.kind == "probabilities" and one.index is not None and one.scores:
        surest = max(score or 0.0 for score in one.scores)
        return f"{one.label or f'class {one.index}'}, {sure(surest)} sure"
    numbers = ", ".join("–" if value is None else f"{value:.6g}" for value in one.scores[:SHOWN])
    more = f", … ({len(one.scores):,})" if len(one.scores) > SHOWN else ""
    if one.index is None:
        return numbers + more
    return f"{one.label or f'class {one.index}'} ({numbers}{more})"
