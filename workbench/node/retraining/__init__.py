"""A training that goes on from a version and learns what people drew: what it began with, and whom it reads better."""

from workbench.node.retraining.parent import continue_from

__all__ = ["continue_from"]
