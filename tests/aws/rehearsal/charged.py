"""The day after: what AWS charged, from Cost Explorer, beside what was counted."""

import datetime
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workbench.aws import names
from workbench.aws.refusals import AwsFailure, said
from workbench.aws.session import Session

EXPLORER = "us-east-1"
"""Cost Explorer answers there for all regions."""


def compare(session: Session, folder: Path) -> str:
    """Say what the day of the rehearsal cost by AWS's own books, by service, and what was counted here.

    Needs ``ce:GetCostAndUsage``, which the workbench itself never does, and the tag ``project`` turned on as a cost allocation
    tag; where it is not, the whole account's day is told. Each question costs a cent.
    """
    counted = json.loads((folder / "counted.json").read_text())
    day = datetime.datetime.fromtimestamp((folder / "counted.json").stat().st_mtime, datetime.UTC).date()
    ours = {"Tags": {"Key": "project", "Values": [names.PROJECT]}}
    lines = [f"counted: ${counted['dollars']:.2f} on {day} ({counted['prices']})"]
    charged = ask(session, day, {"Filter": ours})
    whose = f"with the tag project={names.PROJECT}"
    if not charged:
        charged, whose = (
            ask(session, day, {}),
            "of the whole account (the tag is not turned on, or not yet counted)",
        )
    lines += [
        f"  ${dollars:8.4f}  {service}" for service, dollars in sorted(charged.items(), key=lambda p: -p[1])
    ]
    lines.append(f"charged {whose}: ${sum(charged.values()):.2f}")
    if not charged:
        lines.append("AWS has not counted that day yet; ask again tomorrow")
    return "\n".join(lines)


def ask(session: Session, day: datetime.date, more: Mapping[str, Any]) -> dict[str, float]:
    """What a day cost by service, in US dollars; what cost nothing is left out."""
    try:
        told = session.client("ce", region_name=EXPLORER).get_cost_and_usage(
            TimePeriod={"Start": str(day), "End": str(day + datetime.timedelta(days=2))},
            Granularity="DAILY",
            Metrics=["UnblendedCost"],
            GroupBy=[{"Type": "DIMENSION", "Key": "SERVICE"}],
            **more,
        )
    except AwsFailure as error:
        raise said(error, "ask what AWS charged") from error
    found: dict[str, float] = {}
    for span in told["ResultsByTime"]:
        for group in span.get("Groups", []):
            dollars = float(group["Metrics"]["UnblendedCost"]["Amount"])
            if dollars:
                found[group["Keys"][0]] = found.get(group["Keys"][0], 0.0) + dollars
    return found
