"""A launch of the application before it is made: its resources, its costs, and whether the account lets it."""

from dataclasses import dataclass

from workbench.application import budgets, checks, siting, template
from workbench.application.checks import Check
from workbench.application.template import DISKS_GB, Wish
from workbench.aws import outputs, prices
from workbench.aws.outputs import StackState
from workbench.aws.refusals import AwsError
from workbench.aws.session import Session
from workbench.machines import Plan
from workbench.settings import Settings


@dataclass(frozen=True)
class Cost:
    """One thing that costs."""

    what: str
    per_hour: float | None
    """US dollars; ``None`` where the price is not known here."""


@dataclass(frozen=True)
class AppPlan(Plan):
    """A launch of the application: resources, costs, and what the account says to it."""

    costs: tuple[Cost, ...] = ()
    checks: tuple[Check, ...] = ()
    price_source: str = ""

    @property
    def price_per_month(self) -> float:
        """US dollars for a month that it runs through."""
        return self.price_per_hour * prices.HOURS_A_MONTH

    @property
    def unknown(self) -> tuple[str, ...]:
        """Names of costs that are not known here."""
        return tuple(cost.what for cost in self.costs if cost.per_hour is None)


def plan(session: Session, settings: Settings, wish: Wish) -> AppPlan:
    """The resources that ``launch`` would make, their costs and the account's checks; changes nothing.

    Raises
    ------
    Refused
        There is no such instance type in this region.
    BadInput
        A budget's alarm is wished where CloudFormation knows none.
    """
    budgets.check(session, wish)
    site = siting.find(session, wish)
    wish = site.wish
    known = prices.known(settings, session.region)
    costs = list_costs(known, wish)
    try:
        state: StackState | AwsError | None = outputs.describe(session, settings.aws_stack)
    except AwsError as error:
        state = error
    return AppPlan(
        resources=tuple(template.planned(wish.private_backend, budget=wish.budget is not None)),
        price_per_hour=round(sum(cost.per_hour or 0.0 for cost in costs), 4),
        costs=costs,
        checks=(
            *checks.check(session, settings, wish, site.kinds, state),
            *(Check("types", True, note) for note in site.notes),
            checks.idle(settings),
            *([Check("budget", True, budgets.words(wish))] if wish.budget else ()),
        ),
        price_source=known.source,
    )


def list_costs(known: prices.Prices, wish: Wish) -> tuple[Cost, ...]:
    """List what costs by the hour, while the machines run."""
    costs = [Cost(f"{role} machine, {kind}", known.machine(kind)) for role, kind in wish.types.items()]
    costs.append(Cost(f"disks, {sum(DISKS_GB.values())} GB", known.disk(sum(DISKS_GB.values()))))
    addresses = 2 if wish.private_backend else 3
    costs.append(Cost(f"public addresses, {addresses}", addresses * known.address_hour))
    if wish.private_backend:
        costs.append(Cost("NAT gateway and its address", known.nat_hour + known.address_hour))
    if wish.budget:  # https://aws.amazon.com/aws-cost-management/aws-budgets/pricing/
        costs.append(Cost("budget's alarm (an account's first two; each more $0.10 a day)", 0.0))
    return tuple(costs)
