"""HTML in the look of the cluster's page."""

from html import escape

from workbench.ui.widgets import theme
from workbench.ui.widgets.pieces import Html


class Hints(Html):
    """A piece of HTML that brings the style sheet of the cluster's page."""

    _css = theme.css("cluster")


def hand_over(recipe: str) -> Hints:
    """Link from a recipe's own page to the request with it."""
    return Hints(
        f'<a class="wb-button wb-primary" href="deploy_cluster.ipynb?recipe={escape(recipe)}" '
        f'data-recipe="{escape(recipe)}">Train this on a cluster</a>'
    )
