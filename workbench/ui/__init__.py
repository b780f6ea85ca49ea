"""Widgets that pages are made of: view only, each gets the functions that it calls."""

from workbench.ui.browser import Browser
from workbench.ui.canvas import Answer, Canvas
from workbench.ui.curves import Curves, Series
from workbench.ui.pictures import answer, pictures, published, report
from workbench.ui.pieces import Html, Progress
from workbench.ui.poll import Poll
from workbench.ui.requester import Requester
from workbench.ui.sections import Section, Source, after, is_page
from workbench.ui.table import Column, Facet, Page, Query, Table
from workbench.ui.training import TrainingPanel

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
