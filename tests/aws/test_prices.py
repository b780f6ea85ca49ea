"""What machines cost: the list that ships, and the one that AWS gives."""

import json
import re
from importlib import resources
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator, Fault
from workbench import cli
from workbench.application import siting
from workbench.aws import prices
from workbench.aws.refusals import NotAllowed
from workbench.aws.session import Session

OFFER = {
    "product": {"attributes": {"instanceType": "m5.xlarge", "operatingSystem": "Linux"}},
    "terms": {
        "OnDemand": {
            "A.B": {
                "priceDimensions": {
                    "A.B.C": {"unit": "Hrs", "pricePerUnit": {"USD": "0.2140000000"}, "beginRange": "0"}
                }
            }
        }
    },
}


def test_an_offer_is_read_as_amazon_writes_it() -> None:
    assert prices.read_offer(OFFER) == ("m5.xlarge", 0.214)
    free = json.loads(json.dumps(OFFER).replace("0.2140000000", "0.0000000000"))
    assert prices.read_offer(free) is None
    assert prices.read_offer({"product": {"attributes": {}}, "terms": {}}) is None


def test_each_region_of_the_list_has_a_date_and_the_usual_types_or_what_stands_in(tmp_path: Path) -> None:
    table = json.loads(resources.files("workbench.aws").joinpath("prices.json").read_text())
    assert set(table["dates"]) == set(table["regions"])
    assert len(table["regions"]) > 30
    for region in table["regions"]:
        known = prices.known(make_settings(tmp_path), region)
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", known.date)
        for usual, instead in siting.STAND_INS.items():
            assert known.machine(usual) or known.machine(instead), (region, usual)
        assert all(0.001 < price < 5 for price in known.machines.values()), region


def test_sizes_of_a_family_cost_in_proportion(tmp_path: Path) -> None:
    """AWS's own rule, on which the list of most regions was checked; t2 is rounded."""
    sizes = {"small": 1, "medium": 2, "large": 4, "xlarge": 8, "2xlarge": 16, "4xlarge": 32}
    table = json.loads(resources.files("workbench.aws").joinpath("prices.json").read_text())
    for region, machines in table["regions"].items():
        units: dict[str, set[float]] = {}
        for kind, price in machines.items():
            family, _, size = kind.partition(".")
            if size in sizes and family not in ("t2", "g4dn", "g5", "p3"):
                units.setdefault(family, set()).add(price / sizes[size])
        for family, found in units.items():
            assert max(found) / min(found) < 1.015, (region, family)


def test_a_refresh_is_kept_and_told_with_its_date(
    still_emulator: Emulator,
    own_home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    settings = make_settings(own_home)
    shipped = prices.known(settings, "us-east-1")
    assert cli.main(["prices", "--refresh", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["date"] > shipped.date
    assert len(told["machines"]) > len(shipped.machines)
    assert prices.known(settings, "us-east-1").date == told["date"]
    assert prices.known(settings, "eu-west-1").date == shipped.date
    assert cli.main(["prices"]) == 0
    assert told["date"] in capsys.readouterr().err


def test_a_refresh_that_is_not_allowed_names_the_permission(still_emulator: Emulator, tmp_path: Path) -> None:
    still_emulator.faults([Fault(action="GetProducts", code="AccessDeniedException", times=9)])
    settings = make_settings(tmp_path / "home")
    with pytest.raises(NotAllowed, match="pricing:GetProducts"):
        prices.refresh(settings, Session.open(settings))


def told(capsys: pytest.CaptureFixture[str]) -> str:
    """The line of a plan that names the price."""
    (line,) = (line for line in capsys.readouterr().out.splitlines() if "in all, " in line)
    return line


@pytest.mark.usefixtures("own_home")
def test_of_spot_machines_the_price_is_told_as_the_most_that_it_can_be(
    still_emulator: Emulator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    plan = ["plan", "cluster", "--provider", "aws", "--workers", "2"]
    assert cli.main(plan) == 0
    on_demand = told(capsys)
    assert re.search(r"in all, \$\d+\.\d\d an hour$", on_demand)
    monkeypatch.setenv("WORKBENCH_AWS_SPOT", "1")
    assert cli.main(plan) == 0
    spot = told(capsys)
    price = on_demand.partition(", ")[2]
    assert spot.endswith(f"at most {price}, as these are spot machines")
