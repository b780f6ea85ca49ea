"""Prices of machines on AWS: a list that ships with the code, or a newer one that AWS gave, kept in the home."""

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib import resources
from typing import Any

from workbench.aws.refusals import AwsFailure, said
from workbench.aws.session import Session, pages
from workbench.errors import NotFound
from workbench.settings import Settings
from workbench.system import files

HOURS_A_MONTH = 730
FALLBACK = "us-east-1"
"""Whose prices stand in for a region that is not in the list; most others are dearer by a tenth to a third."""


@dataclass(frozen=True)
class Prices:
    """List prices of one region in US dollars, Linux on demand."""

    region: str
    date: str
    """Of the day on which AWS said so."""
    of_region: str
    """Whose prices these are: another region's where this one's are not known."""
    machines: Mapping[str, float]
    """Type → an hour."""
    disk_gb_month: float
    address_hour: float
    """A public IPv4 address, whether its machine runs or not."""
    nat_hour: float

    def machine(self, instance_type: str) -> float | None:
        """The price of an hour; ``None`` where that is not known."""
        return self.machines.get(instance_type)

    def disk(self, size_gb: float) -> float:
        """The price of an hour of a disk."""
        return size_gb * self.disk_gb_month / HOURS_A_MONTH

    @property
    def source(self) -> str:
        """The source of the figures, in words."""
        whose = "" if self.of_region == self.region else f" of {self.of_region}, as those here are not known"
        return f"list prices of about {self.date}{whose}"


@dataclass(frozen=True)
class _Fresh:
    """Prices of one region as AWS gave them."""

    date: str
    machines: Mapping[str, float]


def known(settings: Settings, region: str) -> Prices:
    """The prices that are known here; asks nobody."""
    table = json.loads(resources.files("workbench.aws").joinpath("prices.json").read_text())
    date = table["date"]
    fresh = _fresh(settings)
    whose = region if region in table["regions"] or region in fresh else FALLBACK
    machines = table["regions"].get(whose, {})
    if whose in fresh:
        date, machines = fresh[whose].date, {**machines, **fresh[whose].machines}
    return Prices(
        region=region,
        date=date,
        of_region=whose,
        machines=machines,
        disk_gb_month=table["disk_gb_month"],
        address_hour=table["address_hour"],
        nat_hour=table["nat_hour"],
    )


def refresh(settings: Settings, session: Session) -> Prices:
    """Ask AWS for its prices in the session's region and keep them in the home.

    Raises
    ------
    NotFound
        AWS has no prices for this region.
    """
    wanted = {
        "regionCode": session.region,
        "operatingSystem": "Linux",
        "preInstalledSw": "NA",
        "tenancy": "Shared",
        "capacitystatus": "Used",
        "marketoption": "OnDemand",
    }
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    found: dict[str, float] = {}
    try:
        for offer in pages(
            session.pricing, "get_products", "PriceList", ServiceCode="AmazonEC2", Filters=filters
        ):
            if read := _read(offer):
                found[read[0]] = read[1]
    except AwsFailure as error:
        raise said(error, "ask AWS for its prices") from error
    if not found:
        raise NotFound(f"AWS gave no prices for the region {session.region}; what is known already stays")
    fresh = _fresh(settings)
    fresh[session.region] = _Fresh(time.strftime("%Y-%m-%d", time.gmtime()), found)
    path = settings.home / "prices.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    files.write_json(path, {region: asdict(one) for region, one in fresh.items()})
    return known(settings, session.region)


def _read(offer: str) -> tuple[str, float] | None:
    """The same of an entry as it comes; ``None`` also for what is no entry."""
    try:
        return read_offer(json.loads(offer))
    except (ValueError, TypeError, AttributeError):
        return None


def read_offer(offer: Mapping[str, Any]) -> tuple[str, float] | None:
    """Type and price an hour in one entry of AWS's price list; ``None`` for what is not sold by the hour."""
    instance_type = offer.get("product", {}).get("attributes", {}).get("instanceType")
    for term in offer.get("terms", {}).get("OnDemand", {}).values():
        for dimension in term.get("priceDimensions", {}).values():
            price = float(dimension.get("pricePerUnit", {}).get("USD") or 0)
            if instance_type and price and dimension.get("unit") == "Hrs":
                return instance_type, price
    return None


def _fresh(settings: Settings) -> dict[str, _Fresh]:
    """The prices that AWS gave, by region."""
    try:
        found = json.loads((settings.home / "prices.json").read_text())
    except FileNotFoundError:
        return {}
    return {region: _Fresh(str(one["date"]), dict(one["machines"])) for region, one in found.items()}
