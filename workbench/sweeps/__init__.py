"""Sweeps: one recipe trained again and again with other values of its settings, to find the best.

``spaces`` are the values that a setting may have, ``searching`` says what to try next, ``stopping`` which trial is not
worth going on with, ``records`` what a sweep remembers, ``results`` what came of it, ``page`` shows that. Nothing here
trains: each trial is a job, and ``workbench.verbs.sweeps`` submits them.
"""

from workbench.sweeps.records import Record, TrialRecord
from workbench.sweeps.results import Sweep, Trial
from workbench.sweeps.searching import METHODS, Tried, propose
from workbench.sweeps.spaces import Choice, Domain, Range, Space, parse_space

__all__ = [
    "METHODS",
    "Choice",
    "Domain",
    "Range",
    "Record",
    "Space",
    "Sweep",
    "Trial",
    "TrialRecord",
    "Tried",
    "parse_space",
    "propose",
]
