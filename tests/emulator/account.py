"""The account: its quotas, a few prices, Amazon's public parameters, and everything that exists in it."""

import datetime
import json
from collections.abc import Iterator
from typing import Any
from xml.sax.saxutils import escape

from moto.cloudformation.models import cloudformation_backends
from moto.ec2.models import ec2_backends
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.iam.models import AWSManagedPolicy, iam_backends
from moto.s3.models import s3_backends
from moto.ssm.models import Parameter, ssm_backends

from tests.emulator import budgets, images, roles
from tests.emulator.calls import ACCOUNT, REGION, Call
from tests.emulator.faults import Faults
from tests.emulator.front import Answer, json_answer
from tests.emulator.roles import Ask
from tests.emulator.world import World

VCPUS_ON_DEMAND, VCPUS_SPOT, VCPUS_GPU = "L-1216C47A", "L-34B43A08", "L-DB2E81BA"
ADDRESSES, NETWORKS = "L-0263D0A3", "L-F678F1CE"
UBUNTU, UBUNTU_ARM, GPU = "ami-1e749f67", "ami-785db401", "ami-03cf127a"
PUBLIC = {
    f"/aws/service/canonical/ubuntu/server/24.04/stable/current/{arch}/hvm/ebs-gp3/ami-id": image
    for arch, image in (("amd64", UBUNTU), ("arm64", UBUNTU_ARM))
} | {"/aws/service/deeplearning/ami/x86_64/base-oss-nvidia-driver-gpu-ubuntu-24.04/latest/ami-id": GPU}
PRICES = {"t2.micro": 0.0116, "t3.micro": 0.0104, "t3.medium": 0.0416, "m5.large": 0.096, "m5.xlarge": 0.192}
"""Dollars an hour; other types cost by their vCPUs."""


class Account:
    """What services moto does not have answer, and what the tests ask about the whole."""

    def __init__(self, world: World, faults: Faults, allowed: roles.Roles) -> None:
        self._world = world
        self._roles = allowed
        self._faults = faults

    @property
    def services(self) -> dict[str, Any]:
        return {
            "servicequotas": self.quotas,
            "pricing": self.prices,
            "iam:SimulatePrincipalPolicy": self.simulate,
            "ec2:GetEbsDefaultKmsKeyId": self.disk_key,
        }

    def furnish(self) -> None:
        """What Amazon puts into a new account."""
        self.put_public_parameters()
        self.put_managed_policies()

    def put_public_parameters(self) -> None:
        """The image ids that Amazon and Canonical publish."""
        store = ssm_backends[ACCOUNT][REGION]
        for name, value in PUBLIC.items():
            store._parameters[name] = [
                Parameter(  # type: ignore[abstract]
                    account_id=ACCOUNT,
                    name=name,
                    value=value,
                    parameter_type="String",
                    description=None,
                    allowed_pattern=None,
                    keyid=None,
                    last_modified_date=datetime.datetime.now(datetime.UTC).timestamp(),  # type: ignore[arg-type]
                    version=1,
                    data_type="text",
                )
            ]

    def put_managed_policies(self) -> None:
        """Amazon's own policies, as far as ``roles.py`` knows them."""
        backend = iam_backends[ACCOUNT]["aws"]
        known = [("Allow", *one) for one in roles.MANAGED.items()]
        known += [("Deny", *one) for one in roles.DENIALS.items()]
        for effect, name, actions in known:
            document = {"Statement": [{"Effect": effect, "Action": actions, "Resource": "*"}]}
            policy = AWSManagedPolicy(  # type: ignore[abstract]
                name,
                account_id=ACCOUNT,
                region=REGION,
                default_version_id="v1",
                path="/",
                document=json.dumps({"Version": "2012-10-17", **document}),
            )
            backend.managed_policies[policy.arn] = policy

    def quotas(self, call: Call, asked: dict[str, Any]) -> Answer:
        """Service Quotas."""
        told = [
            _quota(
                VCPUS_ON_DEMAND,
                "Running On-Demand Standard (A, C, D, H, I, M, R, T, Z) instances",
                self._world.vcpus,
            ),
            _quota(
                VCPUS_SPOT,
                "All Standard (A, C, D, H, I, M, R, T, Z) Spot Instance Requests",
                self._world.vcpus,
            ),
            _quota(VCPUS_GPU, "Running On-Demand G and VT instances", self._world.gpu_vcpus),
            _quota(ADDRESSES, "EC2-VPC Elastic IPs", 5),
            _quota(NETWORKS, "VPCs per Region", 5),
        ]
        if call.action in ("ListServiceQuotas", "ListAWSDefaultServiceQuotas"):
            return json_answer({"Quotas": told})
        found = [q for q in told if q["QuotaCode"] == asked.get("QuotaCode")]
        if not found:
            body = json.dumps(
                {"__type": "NoSuchResourceException", "Message": "The specified quota does not exist"}
            )
            return (
                "400 NoSuchResourceException",
                [("Content-Type", "application/x-amz-json-1.1")],
                body.encode(),
            )
        return json_answer({"Quota": found[0]})

    def disk_key(self, call: Call, asked: dict[str, str]) -> Answer:
        """The key that encrypts disks, which moto does not have: Amazon's own."""
        body = (
            '<GetEbsDefaultKmsKeyIdResponse xmlns="http://ec2.amazonaws.com/doc/2016-11-15/">'
            "<requestId>made-here</requestId><kmsKeyId>alias/aws/ebs</kmsKeyId></GetEbsDefaultKmsKeyIdResponse>"
        )
        return "200 OK", [("Content-Type", "text/xml")], body.encode()

    def prices(self, call: Call, asked: dict[str, Any]) -> Answer:
        """The Pricing API, for EC2 instances on demand."""
        wanted = {f["Field"]: f["Value"] for f in asked.get("Filters", [])}
        kinds = [k for k in sorted(INSTANCE_TYPES) if wanted.get("instanceType", k) == k]
        start, most = int(asked.get("NextToken") or 0), int(asked.get("MaxResults") or 100)
        told: dict[str, Any] = {"FormatVersion": "aws_v1"}
        told["PriceList"] = [json.dumps(_product(kind, wanted)) for kind in kinds[start : start + most]]
        if start + most < len(kinds):
            told["NextToken"] = str(start + most)
        return json_answer(told)

    def simulate(self, call: Call, asked: dict[str, Any]) -> Answer:
        """What the caller may do: what its policy allows, but what a fault denies for ever."""
        context = {
            asked[f"{key}.ContextKeyName"]: value
            for name, value in asked.items()
            if (key := name.partition(".ContextKeyValues.member.")[0]) != name
        }
        results = "".join(
            f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalDecision>"
            f"{self._decision(action, arn, context)}</EvalDecision><EvalResourceName>{escape(arn)}</EvalResourceName>"
            "</member>"
            for action in _members(asked, "ActionNames")
            for arn in _members(asked, "ResourceArns") or ["*"]
        )
        body = (
            '<SimulatePrincipalPolicyResponse xmlns="https://iam.amazonaws.com/doc/2010-05-08/">'
            f"<SimulatePrincipalPolicyResult><IsTruncated>false</IsTruncated><EvaluationResults>{results}"
            "</EvaluationResults></SimulatePrincipalPolicyResult></SimulatePrincipalPolicyResponse>"
        )
        return "200 OK", [("Content-Type", "text/xml")], body.encode()

    def _decision(self, action: str, arn: str, context: dict[str, str]) -> str:
        service, _, name = action.partition(":")
        denied = self._faults.pending(service, name)
        if any(f.status == 403 and f.times is None for f in denied):
            return "implicitDeny"
        return "implicitDeny" if self._roles.refuses_owner(Ask(action, arn, context)) else "allowed"

    def resources(self, _: Any = None) -> dict[str, list[str]]:
        """Everything that exists and that a new account has not; kinds that have none are left out."""
        found: dict[str, list[str]] = {}
        for kind, name in self._all():
            found.setdefault(kind, []).append(name)
        return found

    def _all(self) -> Iterator[tuple[str, str]]:
        ec2 = ec2_backends[ACCOUNT][REGION]
        yield from (("instance", i.id) for i in ec2.all_instances() if i.state != "terminated")
        yield from (("volume", v) for v in ec2.volumes)
        yield from (("address", a.public_ip) for a in ec2.addresses)
        yield from (("interface", e) for e in ec2.enis)
        yield from (("vpc", v.id) for v in ec2.vpcs.values() if str(v.is_default).lower() != "true")
        default = {v.id for v in ec2.vpcs.values() if str(v.is_default).lower() == "true"}
        yield from (
            ("subnet", s.id)
            for by_zone in ec2.subnets.values()
            for s in by_zone.values()
            if s.vpc_id not in default
        )
        groups = [g for by_id in ec2.groups.values() for g in by_id.values()]
        yield from (("group", g.id) for g in groups if g.name != "default")
        yield from (("gateway", g) for g in ec2.internet_gateways)
        yield from (("nat", n.id) for n in ec2.nat_gateways.values() if n.state != "deleted")
        yield from (("routes", t.id) for t in ec2.route_tables.values() if t.vpc_id not in default)
        yield from (("template", t) for t in ec2.launch_templates)
        yield from (("key", k) for k in ec2.key_pairs)
        yield from (("bucket", b) for b in s3_backends[ACCOUNT]["aws"].buckets)
        iam = iam_backends[ACCOUNT]["aws"]
        yield from (("role", r.name) for r in iam.roles.values())
        yield from (("profile", p) for p in iam.instance_profiles)
        yield from (("policy", p) for p in iam.managed_policies if not p.startswith("arn:aws:iam::aws:"))
        yield from images.made()
        yield from (("budget", name) for name in budgets.BUDGETS)
        stacks = cloudformation_backends[ACCOUNT][REGION].stacks.values()
        yield from (("stack", f"{s.name} {s.status}") for s in stacks)
        yield from (
            ("parameter", p)
            for p, v in ssm_backends[ACCOUNT][REGION]._parameters.items()
            if v and not p.startswith("/aws/")
        )


def _members(asked: dict[str, Any], name: str) -> list[Any]:
    """A list of the query protocol."""
    found = [key for key in asked if key.startswith(f"{name}.member.")]
    return [asked[key] for key in sorted(found, key=lambda key: int(key.rpartition(".")[2]))]


def _quota(code: str, name: str, value: float) -> dict[str, Any]:
    return {
        "ServiceCode": "ec2",
        "ServiceName": "Amazon Elastic Compute Cloud (Amazon EC2)",
        "QuotaCode": code,
        "QuotaName": name,
        "Value": float(value),
        "Unit": "None",
        "Adjustable": True,
        "GlobalQuota": False,
    }


def _product(kind: str, wanted: dict[str, str]) -> dict[str, Any]:
    vcpus = INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"]
    price = PRICES.get(kind, 0.048 * vcpus)
    region = wanted.get("regionCode", REGION)
    attributes = {
        "instanceType": kind,
        "regionCode": region,
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "vcpu": str(vcpus),
    }
    rate = {"unit": "Hrs", "pricePerUnit": {"USD": f"{price:.10f}"}, "description": f"${price} per hour"}
    term = {"offerTermCode": "JRTCKXETXF", "priceDimensions": {f"{kind}.JRTCKXETXF.6YS6EN2CT7": rate}}
    return {
        "product": {"productFamily": "Compute Instance", "attributes": attributes, "sku": kind},
        "serviceCode": "AmazonEC2",
        "terms": {"OnDemand": {f"{kind}.JRTCKXETXF": term}},
    }
