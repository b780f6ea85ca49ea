"""What a policy lets somebody do: machines by their roles' and what bounds those, the account's owner by one of its own.

Conditions count: on tags that things have or will have, on S3 prefixes, on CloudFormation between caller and call. A
condition on anything else is not met.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from moto.ec2.models import ec2_backends
from moto.iam.models import iam_backends

from tests.emulator import handlers
from tests.emulator.calls import ACCOUNT, NEW, REGION, Call
from tests.emulator.front import SPOT_ROLE_WORDS
from tests.emulator.world import World

MANAGED = {
    "AmazonSSMManagedInstanceCore": [
        "ssm:DescribeAssociation",
        "ssm:GetDocument",
        "ssm:DescribeDocument",
        "ssm:GetManifest",
        "ssm:GetParameter",
        "ssm:GetParameters",
        "ssm:ListAssociations",
        "ssm:ListInstanceAssociations",
        "ssm:PutInventory",
        "ssm:UpdateInstanceInformation",
        "ssmmessages:*",
        "ec2messages:*",
    ]
}
DENIALS = {"AWSDenyAll": ["*"]}
"""Amazon's own policies that deny."""
_S3 = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
    "ListBuckets": "ListAllMyBuckets",
    "CreateMultipartUpload": "PutObject",
    "UploadPart": "PutObject",
    "CompleteMultipartUpload": "PutObject",
    "CopyObject": "PutObject",
    "DeleteObjects": "DeleteObject",
    "GetBucketLocation": "GetBucketLocation",
    "PutPublicAccessBlock": "PutBucketPublicAccessBlock",
    "PutBucketEncryption": "PutEncryptionConfiguration",
    "PutBucketLifecycleConfiguration": "PutLifecycleConfiguration",
}
Statements = Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Ask:
    """One action on one resource, as policies see it."""

    action: str
    arn: str = "*"
    """``*``: on which is not looked at."""
    context: Mapping[str, str] = field(default_factory=dict)
    """Condition key → value."""


class Roles:
    """Reads the policies that the stacks gave to the roles, and the one that the owner has, if any."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._owner: Statements | None = None

    def bind_owner(self, policy: str | None) -> None:
        """Let the owner of the account do no more than this policy allows; ``None``: everything."""
        self._owner = json.loads(policy)["Statement"] if policy else None

    def refuses(self, call: Call) -> str | None:
        """AWS's words where the caller's policies do not allow the call."""
        if call.action == "GetCallerIdentity" or call.machine == "":
            return None
        if call.machine is None:
            who, all_of = "user/owner", [self._owner] if self._owner is not None else []
        else:
            machine = self._world.machines.get(call.machine)
            if machine is None:
                return None
            who, all_of = f"assumed-role/machine/{call.machine}", list(self._of_machine(machine.instance))
        if said := next((said for ask in _asks(call) if (said := _judge(who, all_of, ask))), None):
            return said
        return self._refuses_spot_role(call, who, all_of)

    def _refuses_spot_role(self, call: Call, who: str, all_of: Sequence[Statements]) -> str | None:
        """AWS's words where it is to run the account's first spot machine and may not make the role for that."""
        is_spot = any(":spot-instances-request/" in arn for arn in call.arns)
        if not is_spot or self._world.has_spot_role:
            return None
        arn = f"arn:aws:iam::{ACCOUNT}:role/aws-service-role/spot.amazonaws.com/AWSServiceRoleForEC2Spot"
        ask = Ask("iam:CreateServiceLinkedRole", arn, {"iam:AWSServiceName": "spot.amazonaws.com"})
        if _judge(who, all_of, ask):
            return SPOT_ROLE_WORDS
        self._world.has_spot_role = True
        return None

    def refuses_stack(
        self, needed: Sequence[str], arn: str = "*", bound: str = "", passed_to: str = "ec2.amazonaws.com"
    ) -> str | None:
        """AWS's words where the owner may not do what CloudFormation would do for it."""
        context = {"aws:CalledVia": "cloudformation.amazonaws.com", "iam:PassedToService": passed_to}
        context |= {"iam:PermissionsBoundary": bound} if bound else {}
        asks = (Ask(action, arn if action.startswith("iam:") else "*", context) for action in needed)
        return next((said for ask in asks if (said := self.refuses_owner(ask))), None)

    def refuses_owner(self, ask: Ask) -> str | None:
        """AWS's words where the owner's policy does not allow this."""
        return _judge("user/owner", [self._owner] if self._owner is not None else [], ask)

    def refuses_resource(self, stack: str, name: str, kind: str, verb: str, bound: str) -> str | None:
        """AWS's words where the owner may not have CloudFormation ``create`` or ``delete`` a resource, or read it.

        Parameters
        ----------
        bound
            ARN of the policy that bounds it, where it is a role.
        """
        if self._owner is None:
            return None
        needed = [*handlers.permissions(kind, verb), *handlers.permissions(kind, "read")]
        for action in needed:
            of = "instance-profile" if "InstanceProfile" in action else "role"
            arn = f"arn:aws:iam::{ACCOUNT}:{of}/{stack}-{name}-X"
            passed_to = (
                "budgets.amazonaws.com" if kind == "AWS::Budgets::BudgetsAction" else "ec2.amazonaws.com"
            )
            if said := self.refuses_stack([action], arn, bound, passed_to):
                return said
        return None

    def refuses_role(self, role: Any, asks: Iterable[Ask]) -> str | None:
        """AWS's words where a role may not do all of this."""
        all_of = list(_of_role(role))
        who = f"assumed-role/{role.name}/session"
        return next((said for ask in asks if (said := _judge(who, all_of, ask))), None)

    def _of_machine(self, instance: Any) -> Iterator[Statements]:
        """Each sequence must allow what the machine does: its role's, and what bounds that."""
        association = instance.ec2_backend.iam_instance_profile_associations.get(instance.id)
        for role in association.iam_instance_profile.roles if association else []:
            yield from _of_role(role)
        if not association:
            yield []


def _of_role(role: Any) -> Iterator[Statements]:
    found: list[Mapping[str, Any]] = []
    for policy in role.policies.values():
        told = json.loads(policy) if isinstance(policy, str) else policy
        found += _listed(told["Statement"])
    for arn in {*getattr(role, "managed_arns", []), *role.managed_policies}:
        name = arn.rpartition("/")[2]
        found.append({"Effect": "Allow", "Action": MANAGED.get(name, []), "Resource": "*"})
        found.append({"Effect": "Deny", "Action": DENIALS.get(name, []), "Resource": "*"})
    if role.permissions_boundary_arn:
        bound = iam_backends[ACCOUNT]["aws"].managed_policies.get(role.permissions_boundary_arn)
        yield json.loads(bound.versions[0].document)["Statement"] if bound else []
    yield found


def _judge(who: str, all_of: Sequence[Statements], ask: Ask) -> str | None:
    words = f"User: arn:aws:sts::{ACCOUNT}:{who} is not authorized to perform: {ask.action} on resource: {ask.arn}"
    for statements in all_of:
        told = [str(s["Effect"]) for s in statements if _is_about(s, ask)]
        if "Deny" in told:
            return f"{words} with an explicit deny in an identity-based policy"
        if not told:
            return f"{words} because no identity-based policy allows the {ask.action} action"
    return None


def _asks(call: Call) -> Iterator[Ask]:
    """What the call asks for: an action on each of its resources, and the tags of what it makes."""
    known = _S3.get(call.action, call.action) if call.service == "s3" else call.action
    action = f"{call.service}:{known}"
    if call.service == "s3" and call.action != "DeleteObjects":  # whose keys are in the body
        yield Ask(action, f"arn:aws:s3:::{call.resource}".rstrip("/"), call.context)
        return
    for arn in call.arns or ["*"]:
        kind, _, id = arn.rpartition(":")[2].partition("/")
        to_be = {k.partition(":")[2]: v for k, v in call.context.items() if k.startswith(f"{kind}:")}
        context = {f"aws:RequestTag/{key}": value for key, value in to_be.items()}
        if id != NEW:
            has = ec2_backends[ACCOUNT][REGION].tags.get(id, {}) if arn.startswith("arn:aws:ec2:") else {}
            context |= {f"aws:ResourceTag/{key}": value for key, value in has.items()}
        yield Ask(action, arn, context)
        if to_be and id == NEW:
            yield Ask("ec2:CreateTags", arn, {**context, "ec2:CreateAction": call.action})


def _is_about(statement: Mapping[str, Any], ask: Ask) -> bool:
    if not any(fnmatchcase(ask.action.lower(), a.lower()) for a in _listed(statement.get("Action", []))):
        return False
    resources = _listed(statement.get("Resource", []))
    if ask.arn == "*":
        if statement["Effect"] != "Allow" and "*" not in resources:
            return False
    elif not any(fnmatchcase(ask.arn, resource) for resource in resources):
        return False
    return all(
        _is_met(test, key, _listed(wanted), ask)
        for test, keys in statement.get("Condition", {}).items()
        for key, wanted in keys.items()
    )


def _is_met(test: str, key: str, wanted: Sequence[str], ask: Ask) -> bool:
    value = ask.context.get(key.replace("ec2:ResourceTag/", "aws:ResourceTag/"))
    if value is None:
        return test.endswith("IfExists")
    return any(fnmatchcase(value, one) for one in wanted)


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
