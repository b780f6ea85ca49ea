"""What the application's stack would have made for clusters, made directly: quick, and without the application."""

import io
import json
import zipfile
from pathlib import Path

from tests.chain import make_settings
from workbench.aws import code
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.machines.aws.controller.making import Ground
from workbench.machines.aws.controller.provider import AwsProvider
from workbench.machines.aws.exchange.assignments import Terms
from workbench.settings import PROJECT, Settings

IMAGE = "/aws/service/canonical/ubuntu/server/24.04/stable/current/amd64/hvm/ebs-gp3/ami-id"
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}
    ],
}
STUBS = ("tests/__init__.py", "tests/stub_node.py")
CODES: dict[str, bytes] = {}


def make_ground(session: Session) -> Ground:
    """A network, a group, a role for machines, a launch template."""
    ec2, iam = session.ec2, session.iam
    bucket = Bucket(session)
    bucket.ensure()
    vpc = ec2.create_vpc(CidrBlock="192.168.0.0/16")["Vpc"]["VpcId"]
    subnet = ec2.create_subnet(VpcId=vpc, CidrBlock="192.168.32.0/19", AvailabilityZone="us-east-1a")[
        "Subnet"
    ]["SubnetId"]
    group = ec2.create_security_group(GroupName="cluster", Description="machines", VpcId=vpc)["GroupId"]
    inside = [
        {"IpProtocol": "tcp", "FromPort": 1024, "ToPort": 65535, "UserIdGroupPairs": [{"GroupId": group}]}
    ]
    ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=inside)
    iam.create_role(RoleName="cluster", AssumeRolePolicyDocument=json.dumps(TRUST))
    iam.put_role_policy(
        RoleName="cluster", PolicyName="cluster", PolicyDocument=json.dumps(rights(bucket.name))
    )
    iam.create_instance_profile(InstanceProfileName="cluster")
    iam.add_role_to_instance_profile(InstanceProfileName="cluster", RoleName="cluster")
    template = ec2.create_launch_template(
        LaunchTemplateName="cluster",
        LaunchTemplateData={
            "ImageId": session.ssm.get_parameter(Name=IMAGE)["Parameter"]["Value"],
            "IamInstanceProfile": {"Name": "cluster"},
            "MetadataOptions": {"HttpTokens": "required"},
        },
    )["LaunchTemplate"]["LaunchTemplateId"]
    return Ground(template, (subnet,), group)


def rights(bucket: str) -> dict[str, object]:
    """What machines of a cluster may do, as the application's stack has it."""
    return {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": "s3:GetObject",
                "Resource": [f"arn:aws:s3:::{bucket}/{p}/*" for p in ("code", "clusters")],
            },
            {
                "Effect": "Allow",
                "Action": ["s3:PutObject", "s3:DeleteObject"],
                "Resource": f"arn:aws:s3:::{bucket}/clusters/*",
            },
            {
                "Effect": "Allow",
                "Action": ["ssm:UpdateInstanceInformation", "ssmmessages:*"],
                "Resource": "*",
            },
            {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}"},
            {
                "Effect": "Allow",
                "Action": ["ec2:DescribeInstances", "ec2:TerminateInstances"],
                "Resource": "*",
            },
        ],
    }


def upload_stub(bucket: Bucket) -> str:
    """The project's code with the stub node in it."""
    if "stub" not in CODES:
        packed = io.BytesIO(code.pack())
        with zipfile.ZipFile(packed, "a") as archive:
            for name in STUBS:
                archive.write(PROJECT / name, name)
        CODES["stub"] = packed.getvalue()
    if not bucket.has("code/stub.zip"):
        bucket.put("code/stub.zip", CODES["stub"])
    return "code/stub.zip"


def make_stub_provider(
    settings: Settings | Path, ground: Ground | None = None, **more: object
) -> AwsProvider:
    """The provider with the stub node, looking at AWS whenever it is asked; for settings, or for a home."""
    settings = make_settings(settings) if isinstance(settings, Path) else settings

    def find(session: Session, settings: Settings) -> Ground:
        assert ground is not None
        return ground

    wanted: dict[str, object] = {"terms": Terms(restarts=0), "look_every_s": 0.0, **more}
    if ground is not None:
        wanted["find_ground"] = find
    return AwsProvider(settings, node="tests.stub_node", upload_code=upload_stub, **wanted)  # type: ignore[arg-type]
