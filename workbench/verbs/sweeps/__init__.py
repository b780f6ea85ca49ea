"""Sweeps: ask, estimate, go on until every trial has ended, publish the best."""

from workbench.sweeps import METHODS, Sweep, Trial
from workbench.sweeps.page import make_page
from workbench.verbs.sweeps.asking import Asked, ask
from workbench.verbs.sweeps.driving import run
from workbench.verbs.sweeps.forecasting import Forecast, forecast
from workbench.verbs.sweeps.looking import look

__all__ = ["METHODS", "Asked", "Forecast", "Sweep", "Trial", "ask", "forecast", "look", "make_page", "run"]
