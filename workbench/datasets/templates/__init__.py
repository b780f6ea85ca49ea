"""Recipes made from what a data set is, ready to train: ``plain`` nets, ``transfer`` learning, ``forecasting``."""

from workbench.datasets.templates.plain import make

__all__ = ["make"]
