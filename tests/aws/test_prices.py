"""What machines cost: the list that ships, and the one that AWS gives."""

import json
import re
from pathlib import Path

import pytest

from tests.chain import make_settings
from tests.emulator import Emulator, Fault
from workbench import cli
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


def test_a_refresh_is_kept_and_told_with_its_date(
    still_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    settings = make_settings(tmp_path / "home")
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


def test_of_spot_machines_the_price_is_told_as_the_most_that_it_can_be(
    still_emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("WORKBENCH_HOME", str(tmp_path / "home"))
    plan = ["plan", "cluster", "--provider", "aws", "--workers", "2"]
    assert cli.main(plan) == 0
    on_demand = told(capsys)
    assert re.search(r"in all, \$\d+\.\d\d an hour$", on_demand)
    monkeypatch.setenv("WORKBENCH_AWS_SPOT", "1")
    assert cli.main(plan) == 0
    spot = told(capsys)
    price = on_demand.partition(", ")[2]
    assert spot.endswith(f"at most {price}, as these are spot machines")
