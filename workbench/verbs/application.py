"""The application on AWS: what it is, what it would cost, and the verbs; boto3 comes with first use."""

import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING

from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench.application.audit import Finding
    from workbench.application.checks import Check
    from workbench.application.plan import AppPlan
    from workbench.application.stack import App, AppMachine
    from workbench.application.template import Wish
    from workbench.aws.images import Image
    from workbench.aws.prices import Prices
    from workbench.aws.session import Session
    from workbench.jobs import Job
    from workbench.machines import Layout

__all__ = [
    "ROLES",
    "App",
    "AppMachine",
    "AppPlan",
    "Application",
    "Check",
    "Finding",
    "KeptImage",
    "Leftovers",
    "Prices",
    "Tell",
    "Wish",
    "forward_command",
    "make_wish",
    "token_command",
]

ROLES = ("working", "frontend", "backend")
Tell = Callable[[str], None]
"""Called with one line whenever something has happened."""


@dataclass(frozen=True)
class Leftovers:
    """Everything in an account and region that nobody owns."""

    account: str
    region: str
    found: "tuple[Finding, ...]"

    @property
    def summary(self) -> str:
        """Count of each kind, in words."""
        from workbench.application import audit

        return audit.summary(self.found)


@dataclass(frozen=True)
class KeptImage:
    """An image on AWS, and what it is good for."""

    image: "Image"
    is_current: bool
    """Machines of today's code begin from it."""
    most_per_month: float
    """US dollars, were its disk full; what is empty costs nothing."""

    def as_json(self) -> dict[str, object]:
        return {**asdict(self.image), "is_current": self.is_current, "most_per_month": self.most_per_month}


class Application:
    """One stack in one account. Threads may share it.

    Each verb may be called again after a kill at any point; all raise ``Unavailable`` where there are no credentials
    or AWS refuses, with what to do.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._opening = threading.Lock()
        self._opened: Session | None = None

    def look(self) -> "App":
        """The application as AWS shows it now."""
        from workbench.application import stack

        return stack.app(self._session(), self._settings)

    def plan(self, wish: "Wish | None" = None) -> "AppPlan":
        """Plan what a launch would make, cost and need; changes nothing."""
        from workbench.application import plan as planning

        return planning.plan(self._session(), self._settings, wish or make_wish())

    def launch(self, tell: Tell, wish: "Wish | None" = None) -> "App":
        """Make it, or finish what an earlier launch began; returns once its services answer.

        What ``doctor`` would say of the account is said first, and stops a launch that would fail.
        """
        from workbench.application import launch as launching

        self._examine(tell)
        return launching.launch(self._session(), self._settings, wish or make_wish(), tell)

    def _examine(self, tell: Tell) -> None:
        from workbench.diagnosis import account, run
        from workbench.errors import Unavailable

        for one in run(account.before_launch(self._session()), account.CANNOT_TELL):
            if one.ok is False:
                raise Unavailable("; ".join(filter(None, [f"{one.check}: {one.said}", one.fix])))
            if one.ok is None:
                tell(f"{one.check}: {one.said}")

    def start(self, tell: Tell, only: Collection[str] = ROLES, *, over_budget: bool = False) -> "App":
        """Start the machines that are stopped, and wait until their services answer.

        Parameters
        ----------
        over_budget
            Also after the budget's alarm has stopped them.
        """
        from workbench.application import power

        return power.start(self._session(), self._settings, tell, only, over_budget=over_budget)

    def stop(self, tell: Tell, only: Collection[str] = ROLES) -> "App":
        """Stop the machines and keep them, their disks and addresses."""
        from workbench.application import power

        return power.stop(self._session(), self._settings, tell, only)

    def release(self, tell: Tell, bucket: str | None = None, *, everybody: bool = False) -> None:
        """End the application and its clusters; the bucket with the models is kept.

        Parameters
        ----------
        bucket
            The bucket's own name: it goes too.
        everybody
            With the clusters of other homes.
        """
        from workbench.application import release as releasing

        releasing.release(self._session(), self._settings, tell, bucket, everybody=everybody)

    def jobs_at_work(self) -> "tuple[Job, ...]":
        """This home's jobs that have machines there, which a release would end."""
        from workbench.jobs import ACTIVE
        from workbench.verbs.workbench import open_store

        with open_store(self._settings) as store:
            return tuple(job for job in store.jobs(state=ACTIVE, limit=1000) if job.provider == "aws")

    def check_cluster(self, layout: "Layout") -> "Check":
        """Ask whether the account may have the machines of such a cluster now; changes nothing."""
        from workbench.application import checks

        return checks.cluster(self._session(), self._settings, layout)

    def first_boot(self, layout: "Layout") -> str:
        """Ask what machines of such a cluster do before they are ready; changes nothing."""
        from workbench.application import checks

        return checks.first_boot(self._session(), layout)

    def images(self) -> "tuple[KeptImage, ...]":
        """The images of ours in the account and region, the newest first."""
        from workbench.aws import images, prices
        from workbench.machines.aws.controller import baking

        session, today = self._session(), baking.environment()
        known = prices.known(self._settings, session.region)
        return tuple(
            KeptImage(one, one.environment == today, round(one.size_gb * known.snapshot_gb_month, 2))
            for one in images.find(session)
        )

    def build_image(self, tell: Tell) -> "Image":
        """Have an image of today's environment, from which clusters begin, and the working machine of the next launch.

        Raises
        ------
        NotFound
            There is no application, in whose network it is built.
        Unavailable
            It could not be built; the machine that should have been copied is ended.
        """
        from workbench.aws import code
        from workbench.aws.bucket import Bucket
        from workbench.machines.aws.controller import baking, making

        session = self._session()
        ground, bucket = making.ground_of_the_application(session, self._settings), Bucket(session)
        return baking.build(session, bucket, ground, code.upload(bucket), tell)

    def remove_images(self, id: str | None = None) -> list[str]:
        """Remove one image, or all of this home; their ids.

        Raises
        ------
        NotFound
            There is no image of ours with this id.
        """
        from workbench.aws import images
        from workbench.errors import NotFound

        session = self._session()
        found = [one for one in images.find(session) if (one.id == id if id else one.home == session.home)]
        if id and not found:
            raise NotFound(f"there is no image of ours with the id {id!r}; list them with: workbench image")
        for one in found:
            images.remove(session, one)
        return [one.id for one in found]

    def audit(self) -> Leftovers:
        """Find what exists on AWS and belongs to no job, stack or person; changes nothing."""
        from workbench.application import audit
        from workbench.jobs import ENDED
        from workbench.verbs.workbench import open_store

        session = self._session()
        with open_store(self._settings) as store:
            jobs = {job.id: job.state for job in store.jobs(limit=100_000) if job.provider == "aws"}
        found = audit.find(session, self._settings, audit.owned_by(jobs, ENDED))
        return Leftovers(session.account, session.region, tuple(found))

    def remove(self, found: "Iterable[Finding]", tell: Tell) -> None:
        """Remove what an audit found; what is gone already is fine."""
        from workbench.application import leftovers

        leftovers.remove(self._session(), found, tell)

    def prices(self, *, refresh: bool = False) -> "Prices":
        """Prices of machines an hour; ``refresh`` asks AWS for the prices of today."""
        from workbench.aws import prices

        if refresh:
            return prices.refresh(self._settings, self._session())
        return prices.known(self._settings, self._settings.aws_region or prices.USUAL)

    def _session(self) -> "Session":
        from workbench.aws.session import Session

        with self._opening:
            if self._opened is None:
                self._opened = Session.open(self._settings)
            return self._opened


def make_wish(
    *,
    working_type: str | None = None,
    frontend_type: str | None = None,
    backend_type: str | None = None,
    dashboard_cidr: str | None = None,
    page_port: int = 80,
    private_backend: bool = False,
    budget: float | None = None,
    budget_email: str | None = None,
) -> "Wish":
    """Check what somebody asks of the application; the usual values for what is ``None``.

    Raises
    ------
    BadInput
        A range of addresses that is none, a dashboard for the whole world, no port, or no budget.
    """
    from workbench.application.template import Wish, check

    chosen = {
        "working_type": working_type,
        "frontend_type": frontend_type,
        "backend_type": backend_type,
        "dashboard_cidr": dashboard_cidr,
    }
    given = {key: value for key, value in chosen.items() if value}
    wish = Wish(
        page_port=page_port, private_backend=private_backend, budget=budget, budget_email=budget_email or ""
    )
    return check(replace(wish, **given))  # type: ignore[arg-type]  # they are all str


def token_command(settings: Settings, region: str) -> str:
    """The command line that shows the dashboard's token to who may read it."""
    from workbench.aws import names

    name = names.parameter(settings.aws_stack, "token")
    return (
        f"aws ssm get-parameter --region {region} --name {name} --with-decryption "
        "--query Parameter.Value --output text"
    )


def forward_command(instance: str, address: str, region: str) -> str:
    """The command line that brings the dashboard to this computer through Session Manager."""
    return (
        f"aws ssm start-session --region {region} --target {instance} "
        "--document-name AWS-StartPortForwardingSessionToRemoteHost "
        f"--parameters host={address},portNumber=8888,localPortNumber=8888"
    )
