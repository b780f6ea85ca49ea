"""What CloudFormation asks for with its caller's rights: permissions by resource type, from AWS's own schemas.

The schemas are those that cfn-lint brings. They tell what a handler may ask for whatever a template says, so what ours
never makes it ask for is left out, each with the reason.
"""

from functools import cache

NOT_ASKED = {
    "ec2:AcceptAddressTransfer": "TransferAddress is not in the template",
    "ec2:AssociateIamInstanceProfile": "a machine is run with its profile",
    "ec2:AttachVolume": "Volumes is not in the template",
    "ec2:AttachVpnGateway": "VpnGatewayId is not in the template",
    "ec2:CreateVpcEncryptionControl": "VpcEncryptionControl is not in the template",
    "ec2:DetachVolume": "Volumes is not in the template",
    "ec2:DetachVpnGateway": "VpnGatewayId is not in the template",
    "ec2:DisassociateIamInstanceProfile": "a machine keeps its profile",
    "ec2:ModifyInstancePlacement": "neither Tenancy nor HostId is in the template",
    "ec2:ModifyPrivateDnsNameOptions": "PrivateDnsNameOptions is not in the template",
    "ec2:MonitorInstances": "Monitoring is not in the template",
    "ec2:ReplaceIamInstanceProfileAssociation": "a machine keeps its profile",
    "ssm:CreateAssociation": "SsmAssociations is not in the template",
}
"""Permission → why no handler asks for it."""
OF_THE_TEMPLATE = ("ec2:DescribeAccountAttributes", "ec2:DescribeAvailabilityZones")
"""What ``Fn::GetAZs`` asks for."""


def permissions(kind: str, verb: str) -> tuple[str, ...]:
    """What the handler of a resource type asks for, to ``create``, ``read`` or ``delete``.

    >>> permissions("AWS::EC2::SecurityGroupIngress", "create")
    ('ec2:DescribeSecurityGroupRules', 'ec2:AuthorizeSecurityGroupIngress')
    """
    return tuple(one for one in schema_permissions(kind, verb) if one not in NOT_ASKED)


@cache
def schema_permissions(kind: str, verb: str) -> tuple[str, ...]:
    """What the handler may ask for, whatever a template says."""
    from cfnlint.schema.manager import PROVIDER_SCHEMA_MANAGER  # seconds, and most tests need none of it

    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    return tuple(dict.fromkeys(schema.get("handlers", {}).get(verb, {}).get("permissions", [])))
