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
USUAL = "us-east-1"
"""Whose prices are shown where nobody has named a region."""


@dataclass(frozen=True)
class Prices:
    """List prices of one region in US dollars, Linux on demand."""

    region: str
    date: str
    """Of the day on which AWS said so; empty where nothing is known of the region."""
    machines: Mapping[str, float]
    """Type → an hour."""
    disk_gb_month: float
    address_hour: float
    """A public IPv4 address, whether its machine runs or not."""
    nat_hour: float
    snapshot_gb_month: float = 0.05
    """Of what is kept of a disk, as an image is."""

    def machine(self, instance_type: str) -> float | None:
        """The price of an hour; ``None`` where that is not known."""
        return self.machines.get(instance_type)

    def disk(self, size_gb: float) -> float:
        """The price of an hour of a disk."""
        return size_gb * self.disk_gb_month / HOURS_A_MONTH

    @property
    def source(self) -> str:
        """The source of the figures, in words."""
        if not self.date:
            return f"no prices are known of {self.region}; ask AWS for them with: workbench prices --refresh"
        return f"list prices of about {self.date}"


@dataclass(frozen=True)
class _Fresh:
    """Prices of one region as AWS gave them."""

    date: str
    machines: Mapping[str, float]


def known(settings: Settings, region: str) -> Prices:
    """The prices that are known here; asks nobody."""
    table = json.loads(resources.files("workbench.aws").joinpath("prices.json").read_text())
    date, machines = table["dates"].get(region, ""), table["regions"].get(region, {})
    if newer := _fresh(settings).get(region):
        date, machines = newer.date, {**machines, **newer.machines}
    return Prices(
        region=region,
        date=date,
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
