"""The metadata of an instance, version 2: a token first, then who it is, its role's keys, the spot notice."""

import datetime
import json
import secrets
from typing import Any

from tests.emulator.calls import REGION, SECRET
from tests.emulator.front import Answer, key_of
from tests.emulator.world import Machine, World


class Metadata:
    """Answers at 169.254.169.254 and, in ``proc`` mode, below a path of the emulator."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._tokens: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], instance_id: str | None) -> Answer:
        """The answer to one request; ``None`` finds the instance by its address."""
        if instance_id is None:
            machine = self._world.find_by_address(environ["REMOTE_ADDR"])
        else:
            machine = self._world.machines.get(instance_id)
        if machine is None:
            return _text("404 Not Found", "")
        if environ["PATH_INFO"] == "/latest/api/token":
            return self._token(environ, machine)
        token = environ.get("HTTP_X_AWS_EC2_METADATA_TOKEN")
        needed = machine.instance.metadata_options.http_tokens == "required"
        if (token or needed) and self._tokens.get(token or "") != machine.instance.id:
            return _text("401 Unauthorized", "")
        found = self._find(machine, environ["PATH_INFO"])
        return _text("404 Not Found", "") if found is None else _text("200 OK", found)

    def _token(self, environ: dict[str, Any], machine: Machine) -> Answer:
        if environ["REQUEST_METHOD"] != "PUT" or "HTTP_X_AWS_EC2_METADATA_TOKEN_TTL_SECONDS" not in environ:
            return _text("400 Bad Request", "")
        token = secrets.token_urlsafe(24)
        self._tokens[token] = machine.instance.id
        return _text("200 OK", token)

    def _find(self, machine: Machine, path: str) -> str | None:
        instance = machine.instance
        if path == "/latest/dynamic/instance-identity/document":
            return json.dumps(_identity(instance))
        role = self.role(machine)
        nic = instance.nics[0]
        told: dict[str, str | None] = {
            "instance-id": instance.id,
            "ami-id": instance.image_id,
            "instance-type": instance.instance_type,
            "instance-life-cycle": instance.lifecycle or "on-demand",
            "local-ipv4": instance.private_ip,
            "local-hostname": instance.private_dns_name,
            "hostname": instance.private_dns_name,
            "mac": nic.mac_address,
            "public-ipv4": instance.public_ip,
            "placement/availability-zone": instance.availability_zone,
            "placement/region": REGION,
            "spot/instance-action": machine.notice,
            "iam/security-credentials": role,
            f"iam/security-credentials/{role}": self._credentials(machine) if role else None,
        }
        key = path.removeprefix("/latest/meta-data/").rstrip("/")
        if key.startswith("tags/instance"):
            return _tags(instance, key)
        return told.get(key)

    def role(self, machine: Machine) -> str | None:
        """The name of the role that the machine's profile gives it."""
        association = machine.instance.ec2_backend.iam_instance_profile_associations.get(machine.instance.id)
        roles = association.iam_instance_profile.roles if association else []
        return roles[0].name if roles else None

    def _credentials(self, machine: Machine) -> str:
        now = datetime.datetime.now(datetime.UTC)
        return json.dumps(
            {
                "Code": "Success",
                "Type": "AWS-HMAC",
                "AccessKeyId": key_of(machine.instance.id),
                "SecretAccessKey": SECRET,
                "Token": "emulated",
                "LastUpdated": f"{now:%Y-%m-%dT%H:%M:%SZ}",
                "Expiration": f"{now + datetime.timedelta(hours=6):%Y-%m-%dT%H:%M:%SZ}",
            }
        )


def _tags(instance: Any, key: str) -> str | None:
    if instance.metadata_options.instance_metadata_tags != "enabled":
        return None
    tags = instance.ec2_backend.tags.get(instance.id, {})
    name = key.removeprefix("tags/instance").strip("/")
    return tags.get(name) if name else "\n".join(tags)


def _identity(instance: Any) -> dict[str, Any]:
    return {
        "accountId": instance.owner_id,
        "architecture": instance.architecture,
        "availabilityZone": instance.availability_zone,
        "imageId": instance.image_id,
        "instanceId": instance.id,
        "instanceType": instance.instance_type,
        "privateIp": instance.private_ip,
        "region": REGION,
        "version": "2017-09-30",
    }


def _text(status: str, text: str) -> Answer:
    body = text.encode()
    return status, [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))], body
