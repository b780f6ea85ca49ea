"""The job store: every training request, its state, its metrics, and who runs it.

``store`` asks and changes, ``values`` are what it gives, ``queue`` decides who is next, ``replay`` takes events in,
``curves`` thins metrics, ``listing`` sorts and narrows down, ``tables`` and ``database`` are what all of it stands on. SQLAlchemy is imported in this
package only.
"""

from workbench.jobs.listing import Filter, Listing, Pulse
from workbench.jobs.store import LEASE_S, Store
from workbench.jobs.values import (
    ACTIVE,
    ENDED,
    STATES,
    Change,
    Curve,
    Job,
    Lease,
    MachineRecord,
    Point,
)

__all__ = [
    "ACTIVE",
    "ENDED",
    "LEASE_S",
    "STATES",
    "Change",
    "Curve",
    "Filter",
    "Job",
    "Lease",
    "Listing",
    "MachineRecord",
    "Point",
    "Pulse",
    "Store",
]
