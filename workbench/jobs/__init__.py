"""The job store: every training request, its state, its metrics, and who runs it.

``store`` changes, ``queries`` ask, ``values`` are what they give, ``queue`` decides who is next, ``replay`` takes events in,
``curves`` thins metrics, ``listing`` sorts and narrows down, ``tables`` and ``database`` are what all of it stands on.
SQLAlchemy is imported in this package only.
"""

from workbench.jobs.listing import JobFilter, Listing, Pulse
from workbench.jobs.store import LEASE_S, Store
from workbench.jobs.values import (
    ACTIVE,
    ENDED,
    STATES,
    Curve,
    Job,
    Lease,
    MachineRecord,
    Point,
    StateChange,
)

__all__ = [
    "ACTIVE",
    "ENDED",
    "LEASE_S",
    "STATES",
    "Curve",
    "Job",
    "JobFilter",
    "Lease",
    "Listing",
    "MachineRecord",
    "Point",
    "Pulse",
    "StateChange",
    "Store",
]
