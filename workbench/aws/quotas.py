"""Quotas of vCPUs: which of them an instance type counts against."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Quota:
    """A pair of Service Quotas, each by its code and its name: on demand, and as spot machines."""

    on_demand: tuple[str, str]
    of_spot: tuple[str, str]

    def code(self, spot: bool) -> str:
        return (self.of_spot if spot else self.on_demand)[0]

    def name(self, spot: bool) -> str:
        return (self.of_spot if spot else self.on_demand)[1]


STANDARD = Quota(
    ("L-1216C47A", "Running On-Demand Standard instances"),
    ("L-34B43A08", "All Standard Spot Instance Requests"),
)
G = Quota(
    ("L-DB2E81BA", "Running On-Demand G and VT instances"),
    ("L-3819A6DF", "All G and VT Spot Instance Requests"),
)
P4 = Quota(
    ("L-417A185B", "Running On-Demand P instances"),
    ("L-7212CCBC", "All P4, P3 and P2 Spot Instance Requests"),
)
P5 = Quota(P4.on_demand, ("L-C4BD4855", "All P5 Spot Instance Requests"))
_OTHERS = ("dl", "f", "hpc", "inf", "mac", "trn")


def of(instance_type: str) -> Quota | None:
    """The quota that a type counts against; ``None`` for types that nothing here launches.

    >>> [of(one) is two for one, two in (("c5.xlarge", STANDARD), ("g4dn.xlarge", G), ("p5.48xlarge", P5))]
    [True, True, True]
    """
    if instance_type.startswith(_OTHERS):
        return None
    if instance_type.startswith(("g", "vt")):
        return G
    if instance_type.startswith("p"):
        return P5 if instance_type.startswith("p5") else P4
    return STANDARD if instance_type[0] in "acdhimrtz" else None
