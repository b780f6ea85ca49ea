"""Names of our things on AWS: tags, the stack, the bucket, and the keys in it."""

import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from workbench.settings import Settings
from workbench.system.files import keep_once

PROJECT = "workbench"
HOME = "workbench:home"
KEYS = ("cluster", "job", "requester", "role", "index")
MAX_VALUE = 256
"""Characters of a tag's value."""


class Filter(TypedDict):
    """One of the ``Filters`` of a describe call: any of the values will do."""

    Name: str
    Values: list[str]


def home_id(settings: Settings) -> str:
    """Eight characters that tell this ``WORKBENCH_HOME`` from all others; made at first use, kept there."""
    return keep_once(settings.home / "home_id", lambda: secrets.token_hex(4))


def tags(
    home: str,
    *,
    cluster: str | None = None,
    job: int | str | None = None,
    requester: str | None = None,
    role: str | None = None,
    index: int | str | None = None,
    name: str | None = None,
) -> list[dict[str, str]]:
    """Tags as AWS takes them; what is ``None`` has none.

    >>> tags("1a2b3c4d", role="ps", index=0)[2:]
    [{'Key': 'role', 'Value': 'ps'}, {'Key': 'index', 'Value': '0'}]
    """
    told = {
        "project": PROJECT,
        HOME: home,
        "cluster": cluster,
        "job": job,
        "requester": requester,
        "role": role,
        "index": index,
        "Name": name,
    }
    return [{"Key": k, "Value": str(v)[:MAX_VALUE]} for k, v in told.items() if v is not None]


def filters(home: str | None = None, **wanted: str | Sequence[str]) -> list[Filter]:
    """The ``Filters`` of a describe call for what carries our tags; of every home where none is given.

    >>> filters("1a2b3c4d", cluster="job-7")[-1]
    {'Name': 'tag:cluster', 'Values': ['job-7']}
    """
    told: dict[str, str | Sequence[str]] = {"project": PROJECT, **({HOME: home} if home else {}), **wanted}
    return [
        {"Name": f"tag:{key}", "Values": [value] if isinstance(value, str) else list(value)}
        for key, value in told.items()
    ]


def read(tagged: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    """Tags as AWS gives them, by key."""
    return {tag["Key"]: tag["Value"] for tag in tagged or ()}


def bucket(account: str, region: str) -> str:
    """The one bucket of an account and region."""
    return f"{PROJECT}-{account}-{region}"


def bucket_owner(name: str) -> str | None:
    """The account whose bucket of that name is ours; ``None`` where the name is none of ours.

    >>> bucket_owner("workbench-123456789012-eu-north-1"), bucket_owner("photographs")
    ('123456789012', None)
    """
    found = re.fullmatch(rf"{PROJECT}-(\d{{12}})-.+", name)
    return found[1] if found else None


def parameter(stack: str, name: str) -> str:
    """A secret's name in the parameter store."""
    return f"/{PROJECT}/{stack}/{name}"


def cluster_prefix(home: str, cluster: str) -> str:
    """The prefix of a cluster's assignment and job in the bucket; several homes have a ``job-7``."""
    return f"clusters/{home}/{cluster}/"


def version_key(home: str, name: str, version: int) -> str:
    """The key of a published version's zip."""
    return f"models/{home}/{name}/{version}.zip"


def machine_key(stack: str, instance: str) -> str:
    """The key at which a machine of the application tells how its boot goes."""
    return f"machines/{stack}/{instance}.json"
