"""Sweeps: ask, estimate, go on until every trial has ended, publish the best; here, or by a process of their own."""

from workbench.sweeps import METHODS, Sweep, Trial
from workbench.sweeps.page import make_body, make_page
from workbench.verbs.sweeps.asking import Asked, Options, ask
from workbench.verbs.sweeps.driving import run
from workbench.verbs.sweeps.forecasting import Forecast, forecast
from workbench.verbs.sweeps.listing import MOVING, Entry, Sweeps
from workbench.verbs.sweeps.looking import look

__all__ = [
    "METHODS",
    "MOVING",
    "Asked",
    "Entry",
    "Forecast",
    "Options",
    "Sweep",
    "Sweeps",
    "Trial",
    "ask",
    "forecast",
    "look",
    "make_body",
    "make_page",
    "run",
]
