"""Security groups: what may come in, as packet filter rules and as the ports that are open to everybody."""

from collections.abc import Iterable
from typing import Any

MOST_FORWARDED = 32
"""Ports of one rule that ``proc`` mode forwards; nobody listens on more."""


def of(instance: Any) -> list[Any]:
    """The security groups of an instance, without repetition."""
    found = {g.id: g for nic in instance.nics.values() for g in (nic.group_set or [])}
    found |= {g.id: g for g in instance.security_groups}
    backend = instance.ec2_backend
    return [backend.get_security_group_from_id(i) or g for i, g in sorted(found.items())]


def rules(instance: Any, others: Iterable[Any]) -> str:
    """What ``nft -f`` takes to let in what the instance's groups allow, and nothing else."""
    others = list(others)
    lines = ["iif lo accept", "ct state established,related accept", "icmp type echo-request accept"]
    for group in of(instance):
        for rule in group.ingress_rules:
            port = _match(rule)
            sources = _sources(rule, others)
            if port is not None and sources:
                lines.append(f"ip saddr {{ {', '.join(sources)} }} {port} accept")
    chain = "\n".join(lines)
    return (
        "table inet groups\nflush table inet groups\ntable inet groups {\n"
        f"chain in {{\ntype filter hook input priority 0\npolicy drop\n{chain}\n}}\n}}\n"
    )


def open_ports(instance: Any) -> list[int]:
    """The TCP ports that addresses outside may use."""
    ports: set[int] = set()
    for group in of(instance):
        for rule in group.ingress_rules:
            if str(rule.ip_protocol) == "tcp" and rule.ip_range.get("CidrIp"):
                ports.update(range(rule.from_port, min(rule.to_port, rule.from_port + MOST_FORWARDED) + 1))
    return sorted(ports)


def _match(rule: Any) -> str | None:
    protocol = str(rule.ip_protocol)
    if protocol in ("-1", "all"):
        return ""
    if protocol not in ("tcp", "udp"):
        return None
    return f"{protocol} dport {rule.from_port}-{rule.to_port}"


def _sources(rule: Any, others: list[Any]) -> list[str]:
    if cidr := rule.ip_range.get("CidrIp"):
        return [cidr]
    wanted = rule.source_group.get("GroupId")
    return sorted({o.private_ip for o in others if any(g.id == wanted for g in of(o))}) if wanted else []
