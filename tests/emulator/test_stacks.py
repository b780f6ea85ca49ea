"""CloudFormation on the emulator: what is made, in what order, what is undone, what stands in the way."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.emulator import Emulator, Fault
from tests.emulator.asking import UBUNTU, Account, until

IMAGE = f"{{{{resolve:ssm:{UBUNTU}}}}}"
ROLE = {
    "Type": "AWS::IAM::Role",
    "Properties": {
        "AssumeRolePolicyDocument": {
            "Version": "2012-10-17",
            "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "ec2.amazonaws.com"}}
            ],
        },
        "ManagedPolicyArns": ["arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"],
    },
}


def template() -> dict[str, Any]:
    """A small application: a network, a group, a role, one machine with an Elastic IP, a launch template."""
    tags = [{"Key": "project", "Value": "workbench"}]
    machine = {
        "ImageId": IMAGE,
        "InstanceType": "t2.micro",
        "SubnetId": {"Ref": "Subnet"},
        "SecurityGroupIds": [{"Fn::GetAtt": ["Group", "GroupId"]}],
        "IamInstanceProfile": {"Ref": "Profile"},
        "MetadataOptions": {"HttpTokens": "required"},
        "PropagateTagsToVolumeOnCreation": True,
        "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8, "Encrypted": True}}],
        "UserData": {"Fn::Base64": {"Fn::Sub": "#!/bin/sh\necho ${AWS::StackName} >stack\n"}},
        "Tags": tags,
    }
    node = {
        "ImageId": IMAGE,
        "InstanceType": "t3.micro",
        "NetworkInterfaces": [
            {"DeviceIndex": 0, "SubnetId": {"Ref": "Subnet"}, "Groups": [{"Ref": "Group"}]}
        ],
    }
    resources = {
        "Address": {
            "Type": "AWS::EC2::EIP",
            "DependsOn": "Attachment",
            "Properties": {"Domain": "vpc", "Tags": tags},
        },
        "Lead": {
            "Type": "AWS::EC2::EIPAssociation",
            "Properties": {
                "InstanceId": {"Ref": "Machine"},
                "AllocationId": {"Fn::GetAtt": ["Address", "AllocationId"]},
            },
        },
        "Machine": {"Type": "AWS::EC2::Instance", "DependsOn": ["Route"], "Properties": machine},
        "Node": {"Type": "AWS::EC2::LaunchTemplate", "Properties": {"LaunchTemplateData": node}},
        "Subnet": {
            "Type": "AWS::EC2::Subnet",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "CidrBlock": "192.168.0.0/24"},
        },
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "192.168.0.0/16", "Tags": tags}},
        "Gateway": {"Type": "AWS::EC2::InternetGateway", "Properties": {}},
        "Attachment": {
            "Type": "AWS::EC2::VPCGatewayAttachment",
            "Properties": {"VpcId": {"Ref": "Vpc"}, "InternetGatewayId": {"Ref": "Gateway"}},
        },
        "Routes": {"Type": "AWS::EC2::RouteTable", "Properties": {"VpcId": {"Ref": "Vpc"}}},
        "Route": {
            "Type": "AWS::EC2::Route",
            "DependsOn": "Attachment",
            "Properties": {
                "RouteTableId": {"Ref": "Routes"},
                "DestinationCidrBlock": "0.0.0.0/0",
                "GatewayId": {"Ref": "Gateway"},
            },
        },
        "SubnetRoutes": {
            "Type": "AWS::EC2::SubnetRouteTableAssociation",
            "Properties": {"SubnetId": {"Ref": "Subnet"}, "RouteTableId": {"Ref": "Routes"}},
        },
        "Group": {
            "Type": "AWS::EC2::SecurityGroup",
            "Properties": {
                "GroupDescription": "all",
                "VpcId": {"Ref": "Vpc"},
                "SecurityGroupIngress": [
                    {"IpProtocol": "tcp", "FromPort": 80, "ToPort": 80, "CidrIp": "0.0.0.0/0"}
                ],
            },
        },
        "Among": {
            "Type": "AWS::EC2::SecurityGroupIngress",
            "Properties": {
                "GroupId": {"Ref": "Group"},
                "IpProtocol": "tcp",
                "FromPort": 2222,
                "ToPort": 2222,
                "SourceSecurityGroupId": {"Ref": "Group"},
            },
        },
        "Role": ROLE,
        "Profile": {"Type": "AWS::IAM::InstanceProfile", "Properties": {"Roles": [{"Ref": "Role"}]}},
    }
    outputs = {
        "Address": {"Value": {"Ref": "Address"}},
        "Inside": {"Value": {"Fn::GetAtt": ["Machine", "PrivateIp"]}},
    }
    return {"Resources": resources, "Outputs": outputs}


@pytest.fixture
def account(proc_emulator: Emulator) -> Account:
    return Account(proc_emulator)


def create(account: Account, body: dict[str, Any] | None = None, **more: Any) -> str:
    asked = {
        "StackName": "app",
        "TemplateBody": json.dumps(body or template()),
        "Capabilities": ["CAPABILITY_IAM"],
    }
    return str(account.cfn.create_stack(**asked | more)["StackId"])


def status(account: Account, stack: str = "app") -> str:
    try:
        return str(account.cfn.describe_stacks(StackName=stack)["Stacks"][0]["StackStatus"])
    except ClientError as error:
        if "does not exist" not in str(error):
            raise
        return "none"


def settled(account: Account, stack: str = "app") -> str:
    until(lambda: not status(account, stack).endswith("PROGRESS"), 60, "a settled stack")
    return status(account, stack)


def events(account: Account, stack: str) -> list[tuple[str, str, str]]:
    told = account.cfn.describe_stack_events(StackName=stack)["StackEvents"]
    return [
        (e["LogicalResourceId"], e["ResourceStatus"], e.get("ResourceStatusReason", ""))
        for e in reversed(told)
    ]


def test_a_stack_is_made_in_order_and_taken_away_without_a_trace(account: Account) -> None:
    stack = create(account, Tags=[{"Key": "home", "Value": "here"}])
    assert settled(account) == "CREATE_COMPLETE"

    assert events(account, stack)[0] == ("app", "CREATE_IN_PROGRESS", "User Initiated")
    made = [name for name, state, _ in events(account, stack) if state == "CREATE_COMPLETE"]
    assert made[-1] == "app"
    assert (
        made.index("Vpc")
        < made.index("Attachment")
        < made.index("Route")
        < made.index("Machine")
        < made.index("Lead")
    )
    told = account.cfn.describe_stacks(StackName="app")["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in told["Outputs"]}
    machine = account.ec2.describe_instances()["Reservations"][0]["Instances"][0]
    assert machine["PublicIpAddress"] == outputs["Address"]
    assert machine["PrivateIpAddress"] == outputs["Inside"]
    assert machine["MetadataOptions"]["HttpTokens"] == "required"
    assert len(machine["SecurityGroups"]) == 1
    assert account.say(machine["InstanceId"], "until [ -s stack ]; do :; done; cat stack") == "app"
    for described, key in (
        (account.ec2.describe_addresses(), "Addresses"),
        (account.ec2.describe_volumes(), "Volumes"),
    ):
        tags = {t["Key"]: t["Value"] for t in described[key][0]["Tags"]}
        assert tags["project"] == "workbench"
    address = account.ec2.describe_addresses()["Addresses"][0]
    assert {"Key": "home", "Value": "here"} in address["Tags"]

    account.cfn.delete_stack(StackName="app")
    assert settled(account) == "none"
    assert status(account, stack) == "DELETE_COMPLETE"
    assert ("app", "DELETE_IN_PROGRESS", "User Initiated") in events(account, stack)
    assert account.emulator.resources() == {}


@pytest.mark.parametrize(
    ("on_failure", "end", "left"),
    [("ROLLBACK", "ROLLBACK_COMPLETE", {"stack": ["app ROLLBACK_COMPLETE"]}), ("DELETE", "none", {})],
)
def test_what_cannot_be_made_undoes_the_rest(
    account: Account, on_failure: str, end: str, left: dict[str, Any]
) -> None:
    account.emulator.faults(
        [Fault("stack:create AWS::EC2::Instance", "InsufficientInstanceCapacity", "none here")]
    )
    stack = create(account, OnFailure=on_failure)
    assert settled(account) == end
    failed = [(name, reason) for name, state, reason in events(account, stack) if state == "CREATE_FAILED"]
    assert failed[0][0] == "Machine"
    assert "none here" in failed[0][1]
    assert failed[1][1] == "Resource creation cancelled"
    assert account.emulator.resources() == left
    account.cfn.delete_stack(StackName="app")
    until(lambda: account.emulator.resources() == {}, 20, "the stack's end")


def test_a_machine_over_the_quota_fails_its_stack(account: Account) -> None:
    account.emulator.quota(0)
    stack = create(account)
    assert settled(account) == "ROLLBACK_COMPLETE"
    assert any("VcpuLimitExceeded" in reason for _, _, reason in events(account, stack))


def test_what_somebody_else_put_in_stands_in_the_way_and_the_second_time_succeeds(account: Account) -> None:
    create(account)
    assert settled(account) == "CREATE_COMPLETE"
    subnet = account.ec2.describe_subnets(Filters=[{"Name": "cidr-block", "Values": ["192.168.0.0/24"]}])
    [worker] = account.run(SubnetId=subnet["Subnets"][0]["SubnetId"])
    account.cfn.delete_stack(StackName="app")
    assert settled(account) == "DELETE_FAILED"
    assert any("has dependencies" in r for _, s, r in events(account, "app") if s == "DELETE_FAILED")
    account.ec2.terminate_instances(InstanceIds=[worker["InstanceId"]])
    account.wait_for(worker["InstanceId"], "terminated")
    account.cfn.delete_stack(StackName="app")
    assert settled(account) == "none"
    assert account.emulator.resources() == {}


def test_a_stack_that_is_just_being_made_can_be_deleted(account: Account) -> None:
    account.emulator.faults([Fault("stack:create AWS::EC2::Instance", delay_s=30)])
    create(account)
    until(lambda: any(n == "Machine" for n, _, _ in events(account, "app")), 20, "the machine begun")
    account.cfn.delete_stack(StackName="app")
    assert settled(account) == "none"
    assert account.emulator.resources() == {}


def test_asking_twice_gives_one_stack_by_token_and_an_error_without(account: Account) -> None:
    first = create(account, ClientRequestToken="once")
    assert create(account, ClientRequestToken="once") == first
    with pytest.raises(ClientError, match="AlreadyExists"):
        create(account)


def test_rights_types_and_sizes_are_checked_before(account: Account) -> None:
    for more, words in (
        ({"Capabilities": []}, "InsufficientCapabilities"),
        (
            {"TemplateBody": json.dumps({"Resources": {"A": {"Type": "AWS::No::Such"}}})},
            "Unrecognized resource types",
        ),
        ({"TemplateBody": json.dumps(template()) + " " * 51_200}, "length less than or equal to 51200"),
    ):
        with pytest.raises(ClientError, match=words):
            create(account, **more)
    assert account.emulator.resources() == {}


def test_prices_and_rights_can_be_asked_for(account: Account) -> None:
    asked = [{"Type": "TERM_MATCH", "Field": "instanceType", "Value": "m5.xlarge"}]
    listed = account.pricing.get_products(ServiceCode="AmazonEC2", Filters=asked)["PriceList"]
    terms = json.loads(listed[0])["terms"]["OnDemand"]
    dimension = next(iter(next(iter(terms.values()))["priceDimensions"].values()))
    assert float(dimension["pricePerUnit"]["USD"]) == 0.192

    account.emulator.faults([Fault.denied("ec2:RunInstances")])
    decided = account.iam.simulate_principal_policy(
        PolicySourceArn="arn:aws:iam::123456789012:user/someone",
        ActionNames=["ec2:RunInstances", "ec2:CreateVpc"],
    )["EvaluationResults"]
    assert [(d["EvalActionName"], d["EvalDecision"]) for d in decided] == [
        ("ec2:RunInstances", "implicitDeny"),
        ("ec2:CreateVpc", "allowed"),
    ]
