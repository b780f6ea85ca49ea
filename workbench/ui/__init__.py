"""Widgets that pages are made of: view only, each gets the functions that it calls."""

from workbench.ui.tutorial.results import answer, pictures, published, report
from workbench.ui.tutorial.sections import Section, Source, after, is_page
from workbench.ui.tutorial.training import TrainingPanel
from workbench.ui.widgets.browser import Browser
from workbench.ui.widgets.canvas import Answer, Canvas
from workbench.ui.widgets.curves import Curves, Series
from workbench.ui.widgets.pieces import Html, Progress
from workbench.ui.widgets.poll import Poll
from workbench.ui.widgets.requester import Requester
from workbench.ui.widgets.table import Column, Facet, Page, Query, Table

__all__ = [
    "Answer",
    "Browser",
    "Canvas",
    "Column",
    "Curves",
    "Facet",
    "Html",
    "Page",
    "Poll",
    "Progress",
    "Query",
    "Requester",
    "Section",
    "Series",
    "Source",
    "Table",
    "TrainingPanel",
    "after",
    "answer",
    "is_page",
    "pictures",
    "published",
    "report",
]
