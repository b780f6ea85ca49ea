"""The pages, and the widgets for notebooks: they show what ``workbench.verbs`` give, and call nothing else."""

from workbench.ui.tutorial.results import answer, deployed, pictures, published, report, unfinished
from workbench.ui.tutorial.sections import Observable, Section, after, is_page
from workbench.ui.tutorial.training import TrainingPanel
from workbench.ui.widgets.curves import Curves, Series
from workbench.ui.widgets.drawing.answer import Answer
from workbench.ui.widgets.drawing.canvas import Canvas
from workbench.ui.widgets.pieces import Html, ProgressBar
from workbench.ui.widgets.poll import Poll
from workbench.ui.widgets.table import Column, Facet, Page, Query, Table
from workbench.ui.widgets.visitor.browser import Browser
from workbench.ui.widgets.visitor.requester import Requester

__all__ = [
    "Answer",
    "Browser",
    "Canvas",
    "Column",
    "Curves",
    "Facet",
    "Html",
    "Observable",
    "Page",
    "Poll",
    "ProgressBar",
    "Query",
    "Requester",
    "Section",
    "Series",
    "Table",
    "TrainingPanel",
    "after",
    "answer",
    "deployed",
    "is_page",
    "pictures",
    "published",
    "report",
    "unfinished",
]
