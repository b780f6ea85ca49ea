"""The stack's template, as CloudFormation gets it and as a plan lists it; run as a program it prints all of it, for a linter."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources

from workbench.aws import types
from workbench.errors import BadInput
from workbench.machines import Resource

IMAGE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/{architecture}/hvm/ebs-gp3/ami-id"
DISKS_GB = {"working": 40, "frontend": 10, "backend": 10}
ROLES = ("working", "frontend", "backend")
MOST_BUDGET = 1e9
_SECTIONS = ("Parameters", "Resources", "Outputs")


@dataclass(frozen=True)
class Wish:
    """A wish for the application that differs from the defaults."""

    working_type: str = "m5.xlarge"
    frontend_type: str = "t2.micro"
    backend_type: str = "t2.micro"
    web_cidr: str = "0.0.0.0/0"
    dashboard_cidr: str | None = None
    """Addresses that may reach the dashboard; ``None``: those of whoever asks, found out at launch."""
    page_port: int = 80
    private_backend: bool = False
    budget: float | None = None
    """US dollars that the account may cost in a month, before an alarm stops all machines; ``None`` for no alarm."""
    budget_email: str = ""
    """Who is told of that."""

    @property
    def types(self) -> dict[str, str]:
        """Role → instance type."""
        return {"working": self.working_type, "frontend": self.frontend_type, "backend": self.backend_type}


def check(wish: Wish) -> Wish:
    """The wish, if it can be.

    Raises
    ------
    BadInput
        A range of addresses that is none, a dashboard for the whole world, no port, or no budget.
    """
    for what, text in (("--from", wish.dashboard_cidr), ("the page's readers", wish.web_cidr)):
        try:
            network = ipaddress.IPv4Network(text) if text is not None else None
        except ValueError as error:
            raise BadInput(
                f"{what} must be a range of IPv4 addresses such as 203.0.113.7/32. Received: {text!r}"
            ) from error
        if network is not None and what == "--from" and network.prefixlen < 8:
            raise BadInput(
                f"the dashboard runs anybody's code, so it is not opened to so many. Received: {text}; name your "
                "own address, such as 203.0.113.7/32"
            )
    if not 0 < wish.page_port < 65536:
        raise BadInput(f"--page-port must be from 1 to 65535. Received: {wish.page_port}")
    _check_budget(wish)
    return wish


def _check_budget(wish: Wish) -> None:
    if wish.budget is not None and not 0.01 <= wish.budget <= MOST_BUDGET:  # not a number fails too
        raise BadInput(f"--budget must be US dollars a month, such as 50. Received: {wish.budget}")
    if wish.budget is not None and not re.fullmatch(r"[^@\s]+@[^@\s]+\.[^@\s.]+", wish.budget_email):
        raise BadInput(
            "an alarm of a budget must tell somebody: add --budget-email with an address such as ann@example.org. "
            f"Received: {wish.budget_email!r}"
        )
    if wish.budget is None and wish.budget_email:
        raise BadInput(f"--budget-email is of --budget, which is missing. Received: {wish.budget_email}")


@cache
def body(*, budget: bool = False) -> str:
    """The whole template; the machines' first script stands in it. ``budget``: with the alarm of one."""
    folder = resources.files("workbench.application")
    lines = folder.joinpath("boot", "fetch.sh").read_text().splitlines()
    indented = "\n".join(f"          {line}".rstrip() for line in lines)
    text = folder.joinpath("stack.yaml").read_text().replace("          @FETCH@", indented)
    if not budget:
        return text
    more = folder.joinpath("budget.yaml").read_text()
    for section in _SECTIONS:
        head = f"\n{section}:\n"
        added = more.split(head, 1)[1]
        for other in _SECTIONS:
            added = added.split(f"\n{other}:\n", 1)[0]
        text = text.replace(head, f"{head}{added.rstrip()}\n", 1)
    return text


def planned(private_backend: bool = False, *, budget: bool = False) -> list[Resource]:
    """Every resource that the stack makes, in the template's order."""
    text = body(budget=budget).split("\nResources:\n", 1)[1].split("\nOutputs:\n", 1)[0]
    found = []
    for name, inner in re.findall(r"^  (\w+):\n((?:    .*\n|\n|  #.*\n)+)", text, re.MULTILINE):
        kind = re.search(r"^    Type: (\S+)$", inner, re.MULTILINE)
        if kind and (private_backend or "    Condition: IsPrivate\n" not in inner):
            found.append(Resource(kind[1], name))
    return found


def parameters(
    wish: Wish,
    *,
    bucket: str,
    code: str,
    home: str,
    dashboard_cidr: str,
    architectures: Mapping[str, str],
    zones: tuple[str, str],
    boundary: str | None = None,
    idle_minutes: int = 0,
    baked: str = "",
) -> list[dict[str, str]]:
    """The parameters as CloudFormation takes them.

    Parameters
    ----------
    architectures
        Type → ``x86_64`` or ``arm64``.
    zones
        Of the application, and of a cluster's other subnet.
    boundary
        ARN of the policy that bounds the machines' roles.
    idle_minutes
        Without use, after which the working machine stops itself; 0 for never.
    baked
        Image with the working machine's environment, for types that are not ARM's; empty for none.
    """
    told = {
        "Boundary": boundary or "",
        "Zone": zones[0],
        "OtherZone": zones[1],
        "Bucket": bucket,
        "CodeKey": code,
        "Home": home,
        "WebCidr": wish.web_cidr,
        "DashboardCidr": dashboard_cidr,
        "FrontendPort": str(wish.page_port),
        "WorkingIdle": str(idle_minutes),
        "PrivateBackend": "yes" if wish.private_backend else "no",
    }
    if wish.budget:
        told |= {"BudgetLimit": f"{wish.budget:.2f}", "BudgetEmail": wish.budget_email}
    for role, kind in wish.types.items():
        told[f"{role.title()}Type"] = kind
        told[f"{role.title()}Credits"] = "standard" if types.is_burstable(kind) else ""
        arm = architectures.get(kind) == "arm64"
        told[f"{role.title()}Image"] = IMAGE.format(architecture="arm64" if arm else "amd64")
        if role == "working" and not arm:
            told["WorkingBaked"] = baked
    return [{"ParameterKey": key, "ParameterValue": value} for key, value in told.items()]


if __name__ == "__main__":
    print(body(budget=True), end="")
