"""NAT gateways as on AWS: their interface is AWS's own, they let go of it and of their address only when they are deleted."""

from typing import Any

import moto.ec2.models.elastic_ip_addresses as moto_addresses
import moto.ec2.models.nat_gateways as moto_nats
from moto.ec2.utils import generic_filter

from tests.emulator.limits import Refusal

Backend = moto_nats.NatGatewayBackend


def install() -> None:
    """Mend what moto leaves out; once a process."""
    create, describe = Backend.create_nat_gateway, Backend.describe_nat_gateways
    release = moto_addresses.ElasticAddressBackend.release_address

    def create_nat_gateway(self: Any, *args: Any, **more: Any) -> Any:
        nat = create(self, *args, **more)
        nat._eni.status, nat._eni.requester_managed = "in-use", True
        nat._eni.description = f"Interface for NAT Gateway {nat.id}"
        return nat

    def describe_nat_gateways(self: Any, filters: Any, ids: Any) -> list[Any]:
        """Also by tags, which moto does not look at; one that is being deleted is so at the first look."""
        tags = {key: values for key, values in (filters or {}).items() if key.startswith("tag")}
        found = generic_filter(tags, describe(self, filters, ids))
        for nat in list(self.nat_gateways.values()):
            if nat.state == "deleted":
                del self.nat_gateways[nat.id]
            elif nat.state == "deleting":
                nat.state = "deleted"
                _let_go(self, nat)
        return found

    def delete_nat_gateway(self: Any, id: str) -> Any:
        if id not in self.nat_gateways:
            raise Refusal("NatGatewayNotFound", f"NAT gateway {id} was not found")
        self.nat_gateways[id].state = "deleting"
        return self.nat_gateways[id]

    def release_address(self: Any, address: Any = None, allocation_id: Any = None) -> Any:
        for nat in self.nat_gateways.values():
            if nat.state != "deleted" and allocation_id in [a.get("allocationId") for a in nat.address_set]:
                raise Refusal("InvalidIPAddress.InUse", f"Address with allocation {allocation_id} is in use.")
        return release(self, address, allocation_id)

    mended: dict[str, Any] = {
        "create_nat_gateway": create_nat_gateway,
        "describe_nat_gateways": describe_nat_gateways,
        "delete_nat_gateway": delete_nat_gateway,
    }
    for name, function in mended.items():
        setattr(Backend, name, function)
    moto_addresses.ElasticAddressBackend.release_address = release_address  # type: ignore[method-assign]


def _let_go(backend: Any, nat: Any) -> None:
    for held in nat.address_set:
        if public := held.get("publicIp"):
            backend.disassociate_address(address=public)
    backend.enis.pop(nat._eni.id, None)
