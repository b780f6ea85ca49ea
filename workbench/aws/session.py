"""An account of AWS and a region as one person sees them: credentials, one client a service, paging."""

import os
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from workbench.aws import names
from workbench.aws.refusals import SET_CREDENTIALS, AwsFailure, NotAllowed, check_answer, said
from workbench.settings import Settings

ATTEMPTS = 8
"""botocore waits longer after each; five ride out a burst of throttling, fewer do not."""
CONNECT_TIMEOUT_S = 5
READ_TIMEOUT_S = 40


@dataclass(frozen=True)
class Caller:
    """The owner of these credentials, as AWS says."""

    account: str
    """The account's number."""
    arn: str


@dataclass
class Session:
    """One account and region as one person sees it. Threads may share it."""

    region: str
    home: str
    """The short id of this ``WORKBENCH_HOME``, which the tags carry."""
    boto: boto3.session.Session
    _clients: dict[str, Any] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @staticmethod
    def open(settings: Settings) -> "Session":
        """Find credentials and region as boto3 does; asks AWS nothing yet.

        Raises
        ------
        NotAllowed
            No credentials, or no region.
        """
        try:
            boto = boto3.session.Session(region_name=settings.aws_region)
            credentials = boto.get_credentials()
        except BotoCoreError as error:
            raise said(error) from error
        if credentials is None:
            raise NotAllowed(f"there are no AWS credentials here: {SET_CREDENTIALS}")
        if not boto.region_name:
            raise NotAllowed("no AWS region is set: set WORKBENCH_AWS_REGION, for instance to eu-central-1")
        return Session(boto.region_name, names.home_id(settings), boto)

    @cached_property
    def caller(self) -> Caller:
        """The owner of the credentials; asks AWS once, so that wrong or expired credentials show here."""
        try:
            told = self.sts.get_caller_identity()
        except AwsFailure as error:
            raise said(error, "ask AWS who we are") from error
        return Caller(str(told["Account"]), str(told["Arn"]))

    @property
    def account(self) -> str:
        """The account's number."""
        return self.caller.account

    @property
    def emulated(self) -> bool:
        """True where something else than Amazon answers: ``AWS_ENDPOINT_URL`` names it."""
        return bool(os.environ.get("AWS_ENDPOINT_URL"))

    @property
    def partition(self) -> str:
        """``aws``, but in China and for governments."""
        return str(self.boto.get_partition_for_region(self.region))

    @property
    def ec2(self) -> Any:
        return self.client("ec2")

    @property
    def ssm(self) -> Any:
        return self.client("ssm")

    @property
    def s3(self) -> Any:
        return self.client("s3")

    @property
    def cfn(self) -> Any:
        return self.client("cloudformation")

    @property
    def iam(self) -> Any:
        return self.client("iam")

    @property
    def sts(self) -> Any:
        return self.client("sts")

    @property
    def quotas(self) -> Any:
        return self.client("service-quotas")

    @property
    def pricing(self) -> Any:
        """The Pricing API answers in few regions only; this one knows the prices of all."""
        return self.client("pricing", region_name="us-east-1")

    def client(self, service: str, **options: Any) -> Any:
        """The client of a service, made once."""
        with self._lock:  # boto3's clients may be shared by threads, the making of them may not
            if service not in self._clients:
                client = self.boto.client(service, config=_config(service), **options)
                client.meta.events.register("before-parse", check_answer)
                if service == "s3":
                    client.meta.events.register("provide-client-params.s3", _expect_our_own)
                self._clients[service] = client
            return self._clients[service]


def _expect_our_own(
    params: dict[str, Any], model: Any, context: dict[str, Any] | None = None, **_: object
) -> None:
    """Name the owner in each request about our bucket: whoever made one of that name first gets nothing of ours.

    A link's reader would have to send the same header, so a link names none.
    """
    owner = names.bucket_owner(str(params.get("Bucket", "")))
    known = "ExpectedBucketOwner" in model.input_shape.members
    if owner and known and not (context or {}).get("is_presign_request"):
        params.setdefault("ExpectedBucketOwner", owner)


def _config(service: str) -> Config:
    options: dict[str, Any] = {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "read_timeout": READ_TIMEOUT_S,
        "user_agent_extra": "workbench",
        "retries": {"mode": "standard"},
    }
    if "AWS_MAX_ATTEMPTS" not in os.environ:
        options["retries"]["total_max_attempts"] = ATTEMPTS
    if service == "s3":
        # A presigned link must name the region's own host; an emulator has no host a bucket.
        style = "path" if os.environ.get("AWS_ENDPOINT_URL") else "virtual"
        options |= {"signature_version": "s3v4", "s3": {"addressing_style": style}}
    return Config(**options)


def public_s3(region: str) -> Any:
    """A client that signs nothing: what it sees, everybody may see."""
    config = _config("s3").merge(Config(signature_version=UNSIGNED))
    client = boto3.client("s3", region_name=region, config=config)
    client.meta.events.register("before-parse", check_answer)
    return client


def pages(client: Any, operation: str, key: str, **options: Any) -> Iterator[Any]:
    """Give each item under ``key`` of every page of the operation, as ``"Reservations"`` of ``"describe_instances"``."""
    for page in client.get_paginator(operation).paginate(**options):
        yield from page.get(key, ())
