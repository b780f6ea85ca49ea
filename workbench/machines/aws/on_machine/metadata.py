"""An instance about itself: its id, and the time at which AWS takes it away, from the metadata service (IMDSv2)."""

import json
import os
import urllib.request

METADATA = "http://169.254.169.254"
TOKEN_S = 300
TIMEOUT_S = 2.0


def instance_id() -> str:
    """This instance's id.

    Raises
    ------
    OSError
        This is no instance.
    """
    return os.environ.get("INSTANCE_ID") or _ask("/latest/meta-data/instance-id")


def interruption() -> str | None:
    """The time at which AWS takes this spot instance away, as it says it; ``None`` as long as it does not."""
    try:
        return str(json.loads(_ask("/latest/meta-data/spot/instance-action"))["time"])
    except (OSError, ValueError, KeyError):
        return None


def _ask(path: str) -> str:
    base = os.environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or METADATA
    wish = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_S)}
    token = _read("PUT", f"{base}/latest/api/token", wish)
    return _read("GET", f"{base}{path}", {"X-aws-ec2-metadata-token": token})


def _read(method: str, url: str, headers: dict[str, str]) -> str:
    request = urllib.request.Request(url, method=method, headers=headers)  # noqa: S310 - our own address
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:  # noqa: S310
        return str(answer.read().decode()).strip()
