"""Makes moto's EC2 instances run, and mends what moto leaves out of ``RunInstances``, addresses and groups."""

import copy
import json
from collections.abc import Callable
from functools import cache
from typing import Any

import moto.core.serialize as moto_serialize
import moto.ec2.models.elastic_ip_addresses as moto_addresses
import moto.ec2.models.elastic_network_interfaces as moto_interfaces
import moto.ec2.models.instances as moto_instances
import moto.ec2.models.security_groups as moto_groups
import xmltodict
from moto.core.exceptions import ServiceException
from moto.core.responses import ActionResult
from moto.ec2.models.core import TaggedEC2Resource
from moto.ec2.models.iam_instance_profile import IamInstanceProfileAssociationBackend
from moto.ec2.models.instance_types import INSTANCE_TYPES
from moto.ec2.responses.instances import InstanceResponse

from tests.emulator import groups, images, limits, nats
from tests.emulator.world import Machine, World

Instance = moto_instances.Instance
MOST_ADDRESSES = 5
"""Elastic IPs that a new account may have in a region."""
USUAL_TYPE = "m1.small"
"""That of moto, and of EC2, for a call that names none."""


class Refusal(ServiceException):
    """An error of EC2 with its code and its words."""


def install(world: World) -> None:
    """Put the hooks into moto; once a process."""
    _run_really(world)
    images.install()
    _change_states(world)
    _lead_addresses(world)
    _watch_groups(world)
    _make_quick()
    limits.install(world)
    nats.install()


def _wrap(owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]) -> None:
    setattr(owner, name, make(getattr(owner, name)))


# ── RunInstances ─────────────────────────────────────────────────────────────────────────────────


def _run_really(world: World) -> None:
    tokens = world.tokens

    def with_token(original: Callable[..., Any]) -> Callable[..., Any]:
        def run_instances(self: Any) -> Any:
            """Twice with one ``ClientToken`` gives the same instances, as on AWS (moto makes new ones)."""
            token = self._get_param("ClientToken")
            asked = json.dumps(
                {k: v for k, v in sorted(self.querystring.items()) if k != "ClientToken"}, default=str
            )
            if token and token in tokens:
                before, reservation = tokens[token]
                if before != asked:
                    raise Refusal(
                        "IdempotentParameterMismatch",
                        "Arguments on this idempotent request are inconsistent with arguments used in previous request(s).",
                    )
                return ActionResult(reservation)
            credits = self.querystring.get("CreditSpecification.CpuCredits", [""])[0]
            limits.check_credits(self._get_param("InstanceType"), credits)
            result = original(self)
            if token:
                tokens[token] = (asked, result.result)
            return result

        return run_instances

    def with_machines(original: Callable[..., Any]) -> Callable[..., Any]:
        def run_instances(
            self: Any,
            image_id: str,
            count: int,
            user_data: Any,
            security_group_names: list[str],
            **asked: Any,
        ) -> Any:
            _fill_from_template(self, asked)
            kind, image = _kind(self, asked), _image(self, image_id, asked)
            limits.check(world, self, kind, image, asked, asked.pop("credits", ""))
            _check(world, self, asked, count)
            _translate_addresses(world, self, asked)
            known = set(self.reservations)
            try:
                reservation = original(self, image_id, count, user_data, security_group_names, **asked)
            except Exception:
                for left in set(self.reservations) - known:  # moto keeps what it had made so far
                    for instance in self.reservations.pop(left).instances:
                        instance.terminate()
                raise
            for instance in reservation.instances:
                _finish(world, self, instance, asked)
            for instance in reservation.instances:
                world.add(instance)
            world.groups_changed()
            return reservation

        return run_instances

    def once(original: Callable[..., Any]) -> Callable[..., Any]:
        def associate(self: Any, instance_id: str, **profile: Any) -> Any:
            there = self.iam_instance_profile_associations.get(instance_id)
            return there or original(self, instance_id, **profile)

        return associate

    _wrap(InstanceResponse, "run_instances", with_token)
    _wrap(moto_instances.InstanceBackend, "run_instances", with_machines)
    _wrap(IamInstanceProfileAssociationBackend, "associate_iam_instance_profile", once)


def _fill_from_template(backend: Any, asked: dict[str, Any]) -> None:
    """What a launch template says and moto does not look at."""
    data = {}
    if asked.get("launch_template"):
        data = copy.deepcopy(backend._get_template_from_args(asked["launch_template"]).data)
    if not asked.get("nics") and data.get("NetworkInterfaces"):
        if asked.get("subnet_id"):
            raise Refusal(
                "InvalidParameterCombination",
                "Network interfaces and an instance-level subnet ID may not be specified on the same request",
            )
        asked["nics"] = data["NetworkInterfaces"]
    _choose_subnet(backend, asked)
    for nic in asked.get("nics") or []:
        nic["AssociatePublicIpAddress"] = str(nic.get("AssociatePublicIpAddress")).lower() == "true"
        nic["DeleteOnTermination"] = str(nic.get("DeleteOnTermination", True)).lower() == "true"
    for name, key in (
        ("instance_initiated_shutdown_behavior", "InstanceInitiatedShutdownBehavior"),
        ("metadata_options", "MetadataOptions"),
        ("instance_market_options", "InstanceMarketOptions"),
    ):
        asked[name] = asked.get(name) or data.get(key)
    asked["metadata_options"] = asked["metadata_options"] or {}
    if "block_device_mappings" not in asked and data.get("BlockDeviceMappings"):
        asked["block_device_mappings"] = data["BlockDeviceMappings"]
    for mapping in asked.get("block_device_mappings") or []:
        mapping.get("Ebs", {}).setdefault("DeleteOnTermination", True)
    profile = data.get("IamInstanceProfile") or {}
    if not asked.get("iam_instance_profile_name") and not asked.get("iam_instance_profile_arn"):
        asked["iam_instance_profile_name"] = profile.get("Name")
        asked["iam_instance_profile_arn"] = profile.get("Arn")


def _image(backend: Any, image_id: str, asked: dict[str, Any]) -> str:
    if image_id or not asked.get("launch_template"):
        return image_id
    return str(backend._get_template_from_args(asked["launch_template"]).data.get("ImageId", ""))


def _kind(backend: Any, asked: dict[str, Any]) -> str:
    kind = str(asked.get("instance_type"))
    if kind != USUAL_TYPE or not asked.get("launch_template"):
        return kind
    return str(backend._get_template_from_args(asked["launch_template"]).data.get("InstanceType", kind))


def _choose_subnet(backend: Any, asked: dict[str, Any]) -> None:
    """The default network's, where none is named; moto would make up an address of no subnet at all."""
    if asked.get("subnet_id") or any(nic.get("SubnetId") for nic in asked.get("nics") or []):
        return
    by_zone = backend.get_default_subnets()
    subnet = by_zone.get(asked.get("placement")) or by_zone[min(by_zone)]
    if asked.get("nics"):
        asked["nics"][0]["SubnetId"] = subnet.id
    else:
        asked["subnet_id"] = subnet.id


def _check(world: World, backend: Any, asked: dict[str, Any], count: int) -> None:
    kind = str(asked.get("instance_type"))
    quota = world.gpu_vcpus if _has_gpus(kind) else world.vcpus
    there = [m.instance.instance_type for m in world.machines.values() if _counts(m)]
    used = sum(_vcpus(one) for one in there if _has_gpus(one) == _has_gpus(kind))
    if used + count * _vcpus(kind) > quota:
        raise Refusal(
            "VcpuLimitExceeded",
            f"You have requested more vCPU capacity than your current vCPU limit of {quota} allows for the "
            "instance bucket that the specified instance type belongs to. Please visit "
            "http://aws.amazon.com/contact-us/ec2-request to request an adjustment to this limit.",
        )


def _counts(machine: Machine) -> bool:
    return machine.state in ("pending", "running", "stopping")


def _has_gpus(kind: str) -> bool:
    return "GpuInfo" in INSTANCE_TYPES[kind]


def _vcpus(kind: str) -> int:
    return int(INSTANCE_TYPES[kind]["VCpuInfo"]["DefaultVCpus"])


def _translate_addresses(world: World, backend: Any, asked: dict[str, Any]) -> None:
    """In ``proc`` mode the world sees loopback addresses, moto's subnets know their own."""
    wanted = [(asked, "private_ip", asked.get("subnet_id"))]
    wanted += [(nic, "PrivateIpAddress", nic.get("SubnetId")) for nic in asked.get("nics") or []]
    for holder, key, subnet_id in wanted:
        if holder.get(key) and subnet_id:
            subnet = backend.get_subnet(subnet_id)
            holder[key] = address = world.network.in_subnet(holder[key], str(subnet.cidr_block))
            if address in subnet._subnet_ips:
                raise Refusal("InvalidIPAddress.InUse", f"Address {address} is in use.")


def _finish(world: World, backend: Any, instance: Any, asked: dict[str, Any]) -> None:
    for nic in instance.nics.values():
        nic.in_subnet = nic.private_ip_address
        nic.private_ip_address = world.network.private(nic.private_ip_address)
        for entry in nic.private_ip_addresses:
            entry["PrivateIpAddress"] = world.network.private(entry["PrivateIpAddress"])
    for nic in instance.nics.values():
        if tags := (asked.get("tags") or {}).get("network-interface"):
            backend.create_tags([nic.id], tags)
    if not instance.security_groups:  # an instance shows those of its first interface
        instance.security_groups = groups.of(instance)
    if asked.get("iam_instance_profile_name") or asked.get("iam_instance_profile_arn"):
        backend.associate_iam_instance_profile(
            instance_id=instance.id,
            iam_instance_profile_name=asked.get("iam_instance_profile_name"),
            iam_instance_profile_arn=asked.get("iam_instance_profile_arn"),
        )


# ── start, stop, terminate ───────────────────────────────────────────────────────────────────────


def _change_states(world: World) -> None:
    def terminate(original: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Any) -> Any:
            previous = copy.copy(self._state)
            machine = world.machines.get(self.id)
            if previous.name in ("terminated", "shutting-down"):
                return previous
            for address in self.ec2_backend.addresses:
                if address.instance is self:
                    world.network.unpublish(address.public_ip)
                    address.instance = address.eni = address.association_id = None
            if self.public_ip:
                world.network.unpublish(self.public_ip)
            original(self)
            _free_interfaces(self)
            if machine:
                machine.halt("terminated")
            return previous

        return changed

    def stop(original: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Any) -> Any:
            previous = copy.copy(self._state)
            machine = world.machines.get(self.id)
            if previous.name in ("terminated", "shutting-down"):
                raise _wrong_state(self, "stopped")
            if previous.name in ("stopping", "stopped"):
                return previous
            limits.check_stop(self)
            public = self.public_ip
            original(self)
            if public and public != self.public_ip:
                world.network.unpublish(public)
            if machine:
                machine.halt("stopped")
            return previous

        return changed

    def start(original: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Any) -> Any:
            previous = copy.copy(self._state)
            machine = world.machines.get(self.id)
            if previous.name in ("pending", "running"):
                return previous
            if previous.name != "stopped":
                raise _wrong_state(self, "started")
            kept = self.nics[0].public_ip
            original(self)
            if kept:
                self.nics[0].public_ip = kept  # an Elastic IP stays
            if machine:
                world.start(machine)
            return previous

        return changed

    def reboot(original: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Any) -> None:
            original(self)
            if machine := world.machines.get(self.id):
                machine.restart()

        return changed

    for name, make in (("terminate", terminate), ("stop", stop), ("start", start), ("reboot", reboot)):
        _wrap(Instance, name, make)


def _free_interfaces(instance: Any) -> None:
    for nic in instance.nics.values():
        if nic.delete_on_termination is not False or nic.device_index == 0:
            instance.ec2_backend.enis.pop(nic.id, None)
        nic.subnet.del_subnet_ip(getattr(nic, "in_subnet", nic.private_ip_address))
        nic.public_ip = None


def _wrong_state(instance: Any, wanted: str) -> Refusal:
    return Refusal(
        "IncorrectInstanceState",
        f"The instance '{instance.id}' is not in a state from which it can be {wanted}.",
    )


# ── addresses and groups ─────────────────────────────────────────────────────────────────────────


def _lead_addresses(world: World) -> None:
    moto_addresses.random_ip = world.network.new_public  # type: ignore[attr-defined]
    moto_interfaces.random_public_ip = world.network.new_public  # type: ignore[attr-defined]
    backend = moto_addresses.ElasticAddressBackend

    def allocate(original: Callable[..., Any]) -> Callable[..., Any]:
        def allocate_address(self: Any, *args: Any, **asked: Any) -> Any:
            if len(self.addresses) >= MOST_ADDRESSES:
                raise Refusal("AddressLimitExceeded", "The maximum number of addresses has been reached.")
            return original(self, *args, **asked)

        return allocate_address

    def associate(original: Callable[..., Any]) -> Callable[..., Any]:
        def associate_address(self: Any, *args: Any, **asked: Any) -> Any:
            address = original(self, *args, **asked)
            machine = world.machines.get(address.instance_id) if address.instance else None
            if machine and machine.online.is_set():
                world.publish(machine)
            return address

        return associate_address

    def disassociate(original: Callable[..., Any]) -> Callable[..., Any]:
        def disassociate_address(
            self: Any, address: str | None = None, association_id: str | None = None
        ) -> None:
            found = [
                a for a in self.addresses if address == a.public_ip or association_id == a.association_id
            ]
            original(self, address=address, association_id=association_id)
            for one in found:
                world.network.unpublish(one.public_ip)

        return disassociate_address

    _wrap(backend, "allocate_address", allocate)
    _wrap(backend, "associate_address", associate)
    _wrap(backend, "disassociate_address", disassociate)


def _watch_groups(world: World) -> None:
    backend = moto_groups.SecurityGroupBackend

    def then_shut(original: Callable[..., Any]) -> Callable[..., Any]:
        def changed(self: Any, *args: Any, **asked: Any) -> Any:
            result = original(self, *args, **asked)
            world.groups_changed()
            return result

        return changed

    for name in ("authorize_security_group_ingress", "revoke_security_group_ingress"):
        _wrap(backend, name, then_shut)

    def keep_used(original: Callable[..., Any]) -> Callable[..., Any]:
        def delete_security_group(self: Any, name: str | None = None, group_id: str | None = None) -> Any:
            users = [i for i in self.all_instances() if i.state != "terminated"]
            used = any(g.id == group_id for i in users for g in groups.of(i))
            named = any(
                (rule.source_group or {}).get("GroupId") == group_id
                for by_id in self.groups.values()
                for group in by_id.values()
                if group.id != group_id
                for rule in group.ingress_rules
            )
            if used or named:
                raise Refusal("DependencyViolation", f"resource {group_id} has a dependent object")
            return original(self, name=name, group_id=group_id)

        return delete_security_group

    _wrap(backend, "delete_security_group", keep_used)


def _make_quick() -> None:
    """Thousands of machines are listed in time: what is asked of each of them again and again is kept."""

    def get_tags(self: Any) -> list[dict[str, str]]:
        found = self.ec2_backend.tags.get(self.id, {})
        return [{"key": k, "value": v, "resource_id": self.id, "resource_type": ""} for k, v in found.items()]

    search = moto_serialize.XFormedAttributePicker.get_possible_keys
    known: dict[tuple[Any, ...], tuple[str, ...]] = {}

    def get_possible_keys(self: Any, context: Any) -> tuple[str, ...]:
        kind = (type(context.obj), context.key, *self.alias_providers)
        if kind not in known:
            known[kind] = tuple(dict.fromkeys(search(self, context)))
        return known[kind]

    TaggedEC2Resource.get_tags = get_tags  # type: ignore[method-assign]
    moto_serialize.XFormedAttributePicker.get_possible_keys = get_possible_keys  # type: ignore[method-assign, assignment]
    xmltodict._validate_name = cache(xmltodict._validate_name)
