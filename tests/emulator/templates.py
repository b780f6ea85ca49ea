"""CloudFormation's resource types where moto's leave something out; and how each is deleted."""

import re
from collections.abc import Callable
from typing import Any

import moto.cloudformation.parsing as moto_parsing
import moto.ec2.models.instances as moto_instances
from moto.core.common_models import CloudFormationModel
from moto.ec2.models import ec2_backends
from moto.ec2.models.elastic_ip_addresses import ElasticAddress
from moto.ec2.utils import parse_user_data
from moto.iam.models import Role, iam_backends
from moto.ssm.models import ssm_backends

from tests.emulator import budgets

Properties = dict[str, Any]


class AddressAssociation(CloudFormationModel):
    """``AWS::EC2::EIPAssociation``, which moto lacks."""

    def __init__(self, backend: Any, address: Any) -> None:
        self.ec2_backend = backend
        self.address = address

    @property
    def physical_resource_id(self) -> str:
        return str(self.address.association_id)

    @staticmethod
    def cloudformation_name_type() -> str:
        return ""

    @staticmethod
    def cloudformation_type() -> str:
        return "AWS::EC2::EIPAssociation"

    @classmethod
    def create_from_cloudformation_json(
        cls, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
    ) -> "AddressAssociation":
        backend, asked = ec2_backends[account_id][region_name], cloudformation_json["Properties"]
        address = backend.associate_address(
            instance=backend.get_instance(asked["InstanceId"]),
            allocation_id=asked.get("AllocationId"),
            address=asked.get("EIP"),
        )
        return cls(backend, address)


def install() -> None:
    """Put the repairs into moto; once a process."""
    moto_instances.Instance.create_from_cloudformation_json = classmethod(_create_instance)  # type: ignore[arg-type, assignment, method-assign]
    _tag_addresses()
    _keep_managed_policies()
    _resolve_parameters()


def _create_instance(
    cls: Any, resource_name: str, cloudformation_json: Any, account_id: str, region_name: str, **_: Any
) -> Any:
    asked = cloudformation_json["Properties"]
    backend = ec2_backends[account_id][region_name]
    tags = {tag["Key"]: tag["Value"] for tag in asked.get("Tags", [])}
    to_volumes = str(asked.get("PropagateTagsToVolumeOnCreation")).lower() == "true"
    optional: Properties = {"credits": (asked.get("CreditSpecification") or {}).get("CPUCredits", "")}
    if asked.get("BlockDeviceMappings"):
        optional["block_device_mappings"] = asked["BlockDeviceMappings"]
    if asked.get("LaunchTemplate"):
        optional["launch_template"] = asked["LaunchTemplate"]
    reservation = backend.run_instances(
        image_id=asked.get("ImageId", ""),
        user_data=parse_user_data(asked.get("UserData")),
        count=1,
        security_group_names=[],
        security_group_ids=list(asked.get("SecurityGroupIds") or asked.get("SecurityGroups") or []),
        instance_type=asked.get("InstanceType", "m1.small"),
        is_instance_type_default=not asked.get("InstanceType"),
        region_name=region_name,
        subnet_id=asked.get("SubnetId"),
        key_name=asked.get("KeyName"),
        private_ip=asked.get("PrivateIpAddress"),
        associate_public_ip=None,
        nics=[_network_interface(nic) for nic in asked.get("NetworkInterfaces") or []],
        metadata_options=asked.get("MetadataOptions") or {},
        instance_initiated_shutdown_behavior=asked.get("InstanceInitiatedShutdownBehavior"),
        iam_instance_profile_name=asked.get("IamInstanceProfile"),
        tags={"instance": tags, "volume": tags if to_volumes else {}},
        **optional,
    )
    return reservation.instances[0]


def _network_interface(nic: Properties) -> Properties:
    groups = nic.get("GroupSet") or nic.get("Groups")
    return {
        **nic,
        "DeviceIndex": int(nic.get("DeviceIndex", 0)),
        **({"Groups": list(groups)} if groups else {}),
    }


def _tag_addresses() -> None:
    original = ElasticAddress.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]

    def create(cls: Any, name: str, told: Any, account_id: str, region_name: str, **more: Any) -> Any:
        address = original(cls, name, told, account_id, region_name, **more)
        address.add_tags({tag["Key"]: tag["Value"] for tag in told["Properties"].get("Tags", [])})
        return address

    ElasticAddress.create_from_cloudformation_json = classmethod(create)  # type: ignore[arg-type, assignment, method-assign]


def _keep_managed_policies() -> None:
    original = Role.create_from_cloudformation_json.__func__  # type: ignore[attr-defined]

    def create(cls: Any, name: str, told: Any, account_id: str, region_name: str, **more: Any) -> Any:
        role = original(cls, name, told, account_id, region_name, **more)
        role.managed_arns = list(told["Properties"].get("ManagedPolicyArns", []))
        return role

    Role.create_from_cloudformation_json = classmethod(create)  # type: ignore[arg-type, assignment, method-assign]


def _resolve_parameters() -> None:
    original = moto_parsing.clean_json

    def clean_json(told: Any, resources: Any) -> Any:
        """As moto's, and ``{{resolve:ssm:NAME}}`` is replaced wherever it stands."""
        result = original(told, resources)
        if isinstance(result, str) and "{{resolve:ssm:" in result:
            store = ssm_backends[resources._account_id][resources._region_name]
            return re.sub(
                r"\{\{resolve:ssm:([^:}]+)(:\d+)?\}\}",
                lambda m: store.get_parameter(m[1]).value,  # type: ignore[union-attr]
                result,
            )
        return result

    moto_parsing.clean_json = clean_json  # type: ignore[assignment]


def needs(resource: Any) -> set[str]:
    """The names that a resource's template names: ``Ref``, ``GetAtt``, ``Sub``, ``DependsOn``."""
    found: set[str] = set()
    if isinstance(resource, list):
        for item in resource:
            found |= needs(item)
    elif isinstance(resource, dict):
        for key, value in resource.items():
            if key in ("Ref", "DependsOn"):
                found |= set([value] if isinstance(value, str) else value)
            elif key == "Fn::GetAtt":
                found.add(value.split(".")[0] if isinstance(value, str) else value[0])
            elif key == "Fn::Sub":
                text = value if isinstance(value, str) else value[0]
                found |= set(re.findall(r"\$\{([A-Za-z0-9]+)[.}]", text))
            found |= needs(value)
    return found


def in_order(resources: dict[str, Any]) -> list[str]:
    """The names of the resources, each after those it needs."""
    done: dict[str, None] = {}

    def visit(name: str) -> None:
        for other in sorted(needs(resources[name]) & resources.keys()):
            if other not in done and other != name:
                visit(other)
        done.setdefault(name)

    for name in resources:
        visit(name)
    return list(done)


# ── deleting ─────────────────────────────────────────────────────────────────────────────────────


def delete(resource: Any, template: Any, account_id: str, region_name: str) -> None:
    """Delete what a resource made.

    Raises
    ------
    Exception
        moto's or ours: it has dependents.
    """
    kind = resource.cf_resource_type
    ec2 = ec2_backends[account_id][region_name]
    if kind in _DELETE:
        _DELETE[kind](ec2, resource, template["Properties"])
    elif kind == "AWS::IAM::Role":
        _delete_role(account_id, resource)
    elif kind == "AWS::IAM::InstanceProfile":
        iam_backends[account_id]["aws"].delete_instance_profile(resource.name, ignore_attached_roles=True)
    else:
        moto_parsing.ResourceMap._delete_resource(
            _Where(account_id, region_name),  # type: ignore[arg-type]
            resource,
            template,
        )


class _Where:
    def __init__(self, account_id: str, region_name: str) -> None:
        self._account_id, self._region_name = account_id, region_name


def _delete_address(ec2: Any, address: Any, _: Properties) -> None:
    if address in ec2.addresses:
        ec2.release_address(allocation_id=address.allocation_id)


def _disassociate(ec2: Any, association: AddressAssociation, _: Properties) -> None:
    if association.address.association_id:
        ec2.disassociate_address(association_id=association.address.association_id)


def _delete_gateway(ec2: Any, gateway: Any, _: Properties) -> None:
    if gateway.vpc:
        ec2.detach_internet_gateway(gateway.id, gateway.vpc.id)
    ec2.delete_internet_gateway(gateway.id)


def _detach(ec2: Any, attachment: Any, _: Properties) -> None:
    if attachment.gateway_id and ec2.get_internet_gateway(attachment.gateway_id).vpc:
        ec2.detach_internet_gateway(attachment.gateway_id, attachment.vpc_id)


def _delete_route(ec2: Any, route: Any, _: Properties) -> None:
    ec2.route_tables[route.route_table.id]._routes.pop(route.id, None)


def _delete_association(ec2: Any, association: Any, _: Properties) -> None:
    table = ec2.route_tables[association.route_table_id]
    for key in [k for k, subnet in table._associations.items() if subnet == association.subnet_id]:
        table._associations.pop(key)


def _delete_ingress(ec2: Any, ingress: Any, _: Properties) -> None:
    asked = ingress.properties
    source = {"GroupId": asked["SourceSecurityGroupId"]} if asked.get("SourceSecurityGroupId") else None
    ec2.revoke_security_group_ingress(
        group_name_or_id=ingress.security_group.id,
        ip_protocol=asked["IpProtocol"],
        from_port=asked.get("FromPort"),
        to_port=asked.get("ToPort"),
        ip_ranges=[{"CidrIp": asked["CidrIp"]}] if asked.get("CidrIp") else [],
        source_groups=[source] if source else [],
    )


def _delete_role(account_id: str, role: Any) -> None:
    backend = iam_backends[account_id]["aws"]
    for profile in backend.instance_profiles.values():
        profile.delete_role(role_name=role.name)
    for name in list(role.policies):
        role.delete_policy(name)
    role.managed_policies.clear()
    backend.delete_role(role.name)


_DELETE: dict[str, Callable[[Any, Any, Properties], Any]] = {
    "AWS::EC2::Instance": lambda ec2, instance, _: instance.terminate(),
    "AWS::EC2::EIP": _delete_address,
    "AWS::EC2::EIPAssociation": _disassociate,
    "AWS::EC2::InternetGateway": _delete_gateway,
    "AWS::EC2::VPCGatewayAttachment": _detach,
    "AWS::EC2::Route": _delete_route,
    "AWS::EC2::SubnetRouteTableAssociation": _delete_association,
    "AWS::EC2::RouteTable": lambda ec2, table, _: ec2.delete_route_table(table.id),
    "AWS::EC2::SecurityGroup": lambda ec2, group, _: ec2.delete_security_group(group_id=group.id),
    "AWS::EC2::SecurityGroupIngress": _delete_ingress,
    "AWS::EC2::Subnet": lambda ec2, subnet, _: ec2.delete_subnet(subnet.id),
    "AWS::EC2::VPC": lambda ec2, vpc, _: ec2.delete_vpc(vpc.id),
    "AWS::EC2::LaunchTemplate": lambda ec2, template, _: ec2.delete_launch_template(None, template.id),
    "AWS::EC2::NatGateway": lambda ec2, gateway, _: ec2.delete_nat_gateway(gateway.id),
    "AWS::Budgets::Budget": lambda _, budget, __: budgets.delete_budget(budget),
    "AWS::Budgets::BudgetsAction": lambda _, action, __: budgets.delete_action(action),
    "AWS::EC2::VPCEndpoint": lambda ec2, endpoint, _: ec2.delete_vpc_endpoints([endpoint.id]),
}
