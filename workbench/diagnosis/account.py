"""Checks of an account of AWS before anything is made in it: seconds, no cost, nothing changed."""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from functools import partial

from workbench.application import checks as launch_checks
from workbench.application import permissions, siting
from workbench.application.template import Wish
from workbench.aws import gpus, outputs, quotas
from workbench.aws.bucket import Bucket
from workbench.aws.outputs import StackState
from workbench.aws.refusals import AwsError, AwsFailure, AwsUnavailable, NotAllowed, Refused, code_of, said
from workbench.aws.session import Session, pages
from workbench.diagnosis import Check, Diagnosis
from workbench.errors import WorkbenchError
from workbench.machines.aws.controller import making
from workbench.settings import Settings

SOON_S = 3600
"""A launch and a training take longer than credentials that end sooner."""
CLOCK_S = 240
"""AWS takes no request that is five minutes off."""
SPOT_QUOTA, GPU_QUOTA = ("ec2", quotas.STANDARD.code(spot=True)), ("ec2", quotas.G.code(spot=False))
VPC_QUOTA = ("vpc", "L-F678F1CE")
"""Service and code of Service Quotas: vCPUs of spot machines, vCPUs of G and VT machines, VPCs of a region."""
GPU_TYPE, GPU_VCPUS = "g4dn.xlarge", 4
"""The smallest machine with a GPU."""
CLUSTER_TYPE = "c5.xlarge"
"""What clusters are made of unless told."""
CLUSTER_VCPUS = 16
"""Four of them: a chief, a parameter server and two workers."""
SPOT_ROLE = "AWSServiceRoleForEC2Spot"
QUOTAS = "ask for more under Service Quotas in the AWS console; an answer takes minutes to days"


CANNOT_TELL = (AwsUnavailable,)
"""A look that AWS refuses, or does not answer, says nothing of what it was to look at."""


def checks(session: Session, settings: Settings) -> Iterator[Check]:
    """The checks of an account; what comes later needs what comes first.

    Raises
    ------
    AwsError
        AWS does not take the credentials: nothing more can be asked.
    """
    state = _state(session, settings)
    yield from before_launch(session)
    yield "launch", partial(_launch, session, settings, state)
    yield "networks", partial(_networks, session, state)
    yield "spot machines", partial(_quota, session, "spot machines", SPOT_QUOTA, "clusters of spot machines")
    yield "spot role", partial(_spot_role, session)
    yield "options", partial(_options, session, settings)
    yield "GPUs", partial(_gpus, session, settings)
    if isinstance(state, StackState) and state.is_whole:
        for spot in (False, True):
            yield _rehearsal_name(spot), partial(_rehearsal, session, settings, spot)


def before_launch(session: Session) -> Iterator[Check]:
    """The checks that a launch of the application runs first, besides those that it makes anyway."""
    session.caller  # noqa: B018  # asks AWS, so that wrong or expired credentials show here
    yield "credentials", partial(_credentials, session)
    yield "clock", partial(_clock, session)
    yield "region", partial(_region, session)
    yield "types and zones", partial(_site, session)
    yield "disk encryption", partial(_disk_key, session)
    yield "bucket", partial(_bucket, session)


def _credentials(session: Session) -> Diagnosis:
    caller = session.caller
    whose = f"account {caller.account}, {caller.arn.rpartition(':')[2]}"
    if caller.arn.endswith(":root"):
        return Diagnosis(
            "credentials",
            None,
            f"{whose}: the account's root",
            "make a user or a role with the policy of docs/aws.md",
        )
    given = session.boto.get_credentials()
    ends_soon = getattr(given, "refresh_needed", None)
    if ends_soon is not None and ends_soon(refresh_in=SOON_S):
        return Diagnosis(
            "credentials",
            None,
            f"{whose}; they end within an hour",
            "renew them first, for instance: aws sso login",
        )
    return Diagnosis("credentials", True, whose)


def _clock(session: Session) -> Diagnosis:
    try:
        answer = session.sts.get_caller_identity()
    except AwsFailure as error:
        raise said(error, "ask AWS for the time") from error
    told = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    if not told:
        return Diagnosis("clock", None, "the answer has no date")
    off = time.time() - parsedate_to_datetime(told).timestamp()
    if abs(off) > CLOCK_S:
        where = "ahead of" if off > 0 else "behind"
        return Diagnosis(
            "clock",
            False,
            f"this computer's clock is {abs(off) / 60:.0f} minutes {where} AWS's, which takes no request that is five off",
            "set the clock, for instance: timedatectl set-ntp true",
        )
    return Diagnosis("clock", True, f"{abs(off):.0f} s from AWS's")


def _region(session: Session) -> Diagnosis:
    try:
        (told,) = session.ec2.describe_regions(RegionNames=[session.region], AllRegions=True)["Regions"]
    except AwsFailure as error:
        raise said(error, f"look at the region {session.region}") from error
    said_of = f"{session.region}, partition {session.partition}"
    if told.get("OptInStatus") == "not-opted-in":
        return Diagnosis(
            "region",
            False,
            f"{said_of}: the account has not turned it on",
            "turn it on under Account, AWS Regions, in the AWS console, or set WORKBENCH_AWS_REGION to another",
        )
    return Diagnosis("region", True, said_of)


def _state(session: Session, settings: Settings) -> StackState | AwsError | None:
    try:
        return outputs.describe(session, settings.aws_stack)
    except AwsError as error:
        return error


def _site(session: Session) -> Diagnosis:
    site = siting.find(session, Wish())
    machines = ", ".join(f"{kind} ({one.architecture})" for kind, one in sorted(site.kinds.items()))
    notes = "".join(f"; {note}" for note in site.notes)
    return Diagnosis(
        "types and zones", True, f"{machines} in {site.zone}{notes}; clusters in {site.other} too"
    )


def _launch(session: Session, settings: Settings, state: StackState | AwsError | None) -> Iterator[Diagnosis]:
    """What a launch of the application asks before it begins."""
    site = siting.find(session, Wish())
    for one in launch_checks.check(session, settings, site.wish, site.kinds, state):
        told, _, fix = one.said.partition("; ") if one.ok is not True else (one.said, "", "")
        yield Diagnosis(one.what, one.ok, told, fix)


def _networks(session: Session, state: StackState | AwsError | None) -> Diagnosis:
    quota = _ask_quota(session, VPC_QUOTA)
    try:
        used = sum(1 for _ in pages(session.ec2, "describe_vpcs", "Vpcs"))
    except AwsFailure as error:
        raise said(error, "look at the networks") from error
    if quota is None:
        return Diagnosis(
            "networks", None, f"one is needed, {used} are there; AWS does not tell how many there may be"
        )
    told = f"one is needed, {used} of the account's {quota:g} are there"
    if used >= quota and not isinstance(state, StackState):
        return Diagnosis("networks", False, told, f"delete one that nobody uses, or {QUOTAS}")
    return Diagnosis("networks", True, told)


def _quota(session: Session, check: str, code: tuple[str, str], what: str) -> Diagnosis:
    quota = _ask_quota(session, code)
    if quota is None:
        return Diagnosis(check, None, "AWS does not tell how many there may be")
    told = f"{quota:g} vCPUs at a time, a usual cluster has {CLUSTER_VCPUS}"
    if quota < CLUSTER_VCPUS:
        return Diagnosis(check, None, f"{told}; it matters to {what} only", QUOTAS)
    return Diagnosis(check, True, told)


def _gpus(session: Session, settings: Settings) -> Diagnosis:
    try:
        image = gpus.find_image(session, settings)
    except Refused as error:
        told, _, fix = str(error).partition("; ")
        return Diagnosis("GPUs", None, told, fix)
    quota = _ask_quota(session, GPU_QUOTA)
    told = f"clusters of such types begin from {image.id}"
    if quota is None:
        return Diagnosis("GPUs", None, f"{told}; AWS does not tell how many vCPUs of G types there may be")
    told = f"{told}; {quota:g} vCPUs of G types at a time, {GPU_TYPE} has {GPU_VCPUS}"
    if quota < GPU_VCPUS:
        return Diagnosis("GPUs", None, f"{told}; it matters to clusters with GPUs only", QUOTAS)
    return Diagnosis("GPUs", True, told)


def _options(session: Session, settings: Settings) -> Diagnosis:
    lacking = permissions.missing(session, settings, ("options",))
    if lacking is None:
        return Diagnosis(
            "options",
            None,
            "AWS does not tell whether these credentials may make a budget's alarm or an image",
        )
    if lacking:
        return Diagnosis(
            "options",
            None,
            f"for a budget's alarm (launch app --budget) and images (image build) these credentials lack: {', '.join(lacking)}",
            "attach what this prints as well: python -m workbench.aws.policy options",
        )
    return Diagnosis(
        "options", True, "a budget's alarm (launch app --budget) and images (image build) may be made"
    )


def _spot_role(session: Session) -> Diagnosis:
    try:
        session.iam.get_role(RoleName=SPOT_ROLE)
    except AwsFailure as error:
        if code_of(error) == "NoSuchEntity":
            return Diagnosis(
                "spot role",
                None,
                "EC2 makes its role with the account's first spot machine, if these credentials may have it made",
                "where they may not, the owner runs once: aws iam create-service-linked-role "
                "--aws-service-name spot.amazonaws.com",
            )
        raise said(error, "look for EC2's role for spot machines") from error
    return Diagnosis("spot role", True, "it is there")


def _disk_key(session: Session) -> Diagnosis:
    try:
        key = str(session.ec2.get_ebs_default_kms_key_id()["KmsKeyId"])
    except AwsFailure as error:
        raise said(error, "ask for the key that encrypts disks") from error
    if key and "alias/aws/ebs" not in key:
        return Diagnosis(
            "disk encryption",
            None,
            f"disks are encrypted by the account's own key {key}",
            "its policy must let these credentials use it and make grants, or machines end as they begin",
        )
    return Diagnosis("disk encryption", True, "by AWS's own key")


def _bucket(session: Session) -> Diagnosis:
    bucket = Bucket(session)
    try:
        there = bucket.exists()
    except NotAllowed as error:
        told, _, more = str(error).partition("; ")
        fix = more or "use another region (WORKBENCH_AWS_REGION), or have its owner remove it"
        return Diagnosis("bucket", False, told, fix)
    return Diagnosis(
        "bucket", True, f"{bucket.name} is {session.account}'s" if there else f"{bucket.name} is free to make"
    )


def _rehearsal_name(spot: bool) -> str:
    return "a spot machine" if spot else "a machine"


def _rehearsal(session: Session, settings: Settings, spot: bool) -> Diagnosis:
    ground = making.ground_of_the_application(session, settings)
    making.rehearse(session, ground, CLUSTER_TYPE, spot=spot)
    return Diagnosis(_rehearsal_name(spot), True, f"AWS would launch {CLUSTER_TYPE} now (a dry run)")


def _ask_quota(session: Session, code: tuple[str, str]) -> float | None:
    service, quota = code
    try:
        told = session.quotas.get_service_quota(ServiceCode=service, QuotaCode=quota)
        return float(told["Quota"]["Value"])
    except (*AwsFailure, WorkbenchError):
        return None
