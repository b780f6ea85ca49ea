"""Baking an image: a machine installs what clusters and the working machine need, stops, and is copied."""

from collections.abc import Callable
from importlib import resources

from workbench.aws import images, instances, names
from workbench.aws.bucket import Bucket
from workbench.aws.images import AVAILABLE, ENVIRONMENT, Image
from workbench.aws.refusals import AwsFailure, said
from workbench.aws.session import Session
from workbench.errors import Unavailable
from workbench.machines.aws.controller import making, members
from workbench.machines.aws.controller.making import Ground, RoleWish
from workbench.machines.aws.controller.user_data import user_data
from workbench.settings import PROJECT
from workbench.system.waiting import wait_until

CLUSTER = "image-build"
"""In the tags of the machine that is copied: a release ends it with the other clusters."""
INSTANCE_TYPE = "c5.xlarge"
HOURS = 1.0
"""After which that machine switches itself off, whatever happens."""
INSTALL_TIMEOUT_S, COPY_TIMEOUT_S = 2700.0, 2700.0
POLL_S, LONGEST_POLL_S = 0.3, 10.0
ARCHITECTURE = "x86_64"

Tell = Callable[[str], object]


def environment() -> str:
    """The digest of what a machine installs: the locked packages, and the script that installs them."""
    script = resources.files("workbench.machines.aws.on_machine").joinpath("boot.sh").read_bytes()
    return images.digest((PROJECT / "uv.lock").read_bytes(), script)


def current(session: Session) -> Image | None:
    """The image that machines of today's code can begin from; ``None`` where there is none."""
    return images.with_environment(session, environment())


def build(session: Session, bucket: Bucket, ground: Ground, code: str, tell: Tell) -> Image:
    """Have an image of today's environment; earlier ones of this home go. May be called again after a kill at any point.

    Parameters
    ----------
    code
        Key of the project's code in the bucket.

    Raises
    ------
    Unavailable
        The machine could not install, or AWS could not copy it; the machine is ended.
    """
    wanted = environment()
    prefix = names.cluster_prefix(session.home, CLUSTER)
    members.end_cluster(session, CLUSTER)
    found = next(
        (one for one in images.find(session) if one.environment == wanted and one.state != "failed"), None
    )
    if found is None:
        bucket.delete(prefix)
        try:
            found = _bake(session, bucket, ground, code, wanted, tell)
        finally:
            members.end_cluster(session, CLUSTER)
            bucket.delete(prefix)
    else:
        tell(f"there is one of today's environment already: {found.id}")
    ready = _wait_copied(session, found.id)
    for one in images.find(session):
        if one.home == session.home and one.id != ready.id:
            images.remove(session, one)
            tell(f"removed: {one.id}, of an earlier environment")
    return ready


def _bake(session: Session, bucket: Bucket, ground: Ground, code: str, wanted: str, tell: Tell) -> Image:
    script = user_data(bucket.name, code, session.region, session.home, CLUSTER, HOURS, mode="image")
    wish = RoleWish("image", 1, INSTANCE_TYPE, False, script, shutdown="stop")
    (machine,) = making.make(session, ground, CLUSTER, wish, {})
    tell(f"{machine.id} ({machine.type}) installs; that takes minutes")
    prefix = names.cluster_prefix(session.home, CLUSTER)

    def stopped() -> bool:
        if said_of := bucket.get(f"{prefix}boot/{machine.id}"):
            raise Unavailable(
                f"the machine of the image could not install: {said_of.decode(errors='replace')}"
            )
        (seen,) = instances.find(
            session, [instances.with_ids([machine.id])], doing="look at the image's machine"
        )
        if seen.state in ("shutting-down", "terminated"):
            raise Unavailable(f"the machine of the image, {machine.id}, was ended by somebody, or by AWS")
        return seen.state == "stopped"

    late = f"the machine of the image, {machine.id}, has not installed within {INSTALL_TIMEOUT_S / 60:.0f} minutes"
    wait_until(stopped, INSTALL_TIMEOUT_S, POLL_S, late, longest_s=LONGEST_POLL_S)
    if bucket.get(f"{prefix}baked/{machine.id}") is None:
        raise Unavailable(
            f"the machine of the image, {machine.id}, stopped before it had installed everything"
        )
    tags = [*names.tags(session.home, role="image"), {"Key": ENVIRONMENT, "Value": wanted}]
    tell(f"{machine.id} has installed; AWS copies its disk")
    try:
        made = session.ec2.create_image(
            InstanceId=machine.id,
            Name=f"{names.PROJECT}-{wanted}-{machine.id}",
            Description="what machines of the workbench's clusters install",
            TagSpecifications=[{"ResourceType": kind, "Tags": tags} for kind in ("image", "snapshot")],
        )
    except AwsFailure as error:
        raise said(error, "make an image of the machine") from error
    return _wait_copied(session, str(made["ImageId"]))


def _wait_copied(session: Session, id: str) -> Image:
    def copied() -> Image | None:
        found = next((one for one in images.find(session) if one.id == id), None)
        if found is not None and found.state == "failed":
            images.remove(session, found)
            raise Unavailable(f"AWS could not make the image {id}; build it again")
        return found if found is not None and found.state == AVAILABLE else None

    late = (
        f"the image {id} is not ready after {COPY_TIMEOUT_S / 60:.0f} minutes; build again to go on waiting"
    )
    ready = wait_until(copied, COPY_TIMEOUT_S, POLL_S, late, longest_s=LONGEST_POLL_S)
    assert ready is not None
    return ready
