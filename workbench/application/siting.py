"""Siting of an application: types that the region has, in zones that have them all; decided before anything is made."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from workbench.application.template import Wish
from workbench.aws import gpus, types
from workbench.aws.refusals import Refused
from workbench.aws.session import Session
from workbench.aws.types import MachineType

STAND_INS = {"t2.micro": "t3.micro", "m5.xlarge": "m6i.xlarge"}
"""Usual type → what takes its place in regions that have it no more; half of them have no t2."""
FOR_CLUSTERS = ("c5.xlarge", "t3.medium")
"""What clusters are usually made of: among zones that have the application's types, one that has these is better."""


@dataclass(frozen=True)
class Site:
    """Types and zones for an application."""

    wish: Wish
    """With types that the region has."""
    kinds: Mapping[str, MachineType]
    zone: str
    """Of the application, and of a cluster's first subnet."""
    other: str
    """Of a cluster's other subnet; the same where the region has but one."""
    notes: tuple[str, ...] = ()
    """What is not as it was wished."""


def find(session: Session, wish: Wish) -> Site:
    """Find types and zones.

    Raises
    ------
    BadInput
        A type has accelerators, which nothing of the application uses.
    Refused
        The region has no such type, or no zone has all of them.
    """
    gpus.refuse_any(list(wish.types.values()))
    wanted = {*wish.types.values(), *STAND_INS.values(), *FOR_CLUSTERS}
    offered = types.zones(session, sorted(wanted))
    wish, notes = stand_in(wish, offered, session.region)
    kinds = types.describe(session, sorted(set(wish.types.values())))
    zone, other = choose(wish, offered, session.region)
    return Site(wish, kinds, zone, other, notes)


def stand_in(wish: Wish, offered: Mapping[str, frozenset[str]], region: str) -> tuple[Wish, tuple[str, ...]]:
    """Replace usual types that the region lacks; what was replaced, in words."""
    notes: dict[str, None] = {}
    for role, kind in wish.types.items():
        instead = STAND_INS.get(kind)
        if not offered.get(kind) and instead and offered.get(instead):
            wish = replace(wish, **{f"{role}_type": instead})  # type: ignore[arg-type]  # the three are str
            notes[f"{region} has no {kind}: {instead} takes its place"] = None
    return wish, tuple(notes)


def choose(wish: Wish, offered: Mapping[str, frozenset[str]], region: str) -> tuple[str, str]:
    """The zone of the application, which has all of its types, and another one for clusters.

    >>> offered = {"m5.xlarge": frozenset("bc"), "t2.micro": frozenset("abc"), "c5.xlarge": frozenset("ac")}
    >>> choose(Wish(), offered, "mars-1")
    ('c', 'a')
    """
    mine = [offered.get(kind, frozenset()) for kind in wish.types.values()]
    common = frozenset.intersection(*mine)
    if not common:
        where = "; ".join(
            f"{kind} in {', '.join(sorted(offered.get(kind, ()))) or 'none'}"
            for kind in dict.fromkeys(wish.types.values())
        )
        raise Refused(
            f"no zone of {region} has all machines of the application: {where}; name other types with --working-type, "
            "--frontend-type and --backend-type, or another region"
        )

    def suits(zone: str) -> tuple[int, str]:
        return -sum(zone in offered.get(kind, ()) for kind in FOR_CLUSTERS), zone

    zone = min(common, key=suits)
    others = frozenset.union(*offered.values()) - {zone}
    return zone, min(others, key=suits, default=zone)
