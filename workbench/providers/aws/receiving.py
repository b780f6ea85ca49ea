"""What the back end's machine does with a deployment: ``python -m workbench.providers.aws.receiving '{"do": …}'``.

Prints one line of JSON: what the back end says, or what went wrong.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from workbench import artifact, deployment
from workbench.errors import WorkbenchError
from workbench.providers.aws.bucket import Bucket
from workbench.providers.aws.clients import Session
from workbench.registry import Version
from workbench.settings import PROJECT, from_environment


def main(asked: dict[str, Any]) -> dict[str, Any]:
    """Do what is asked with the back end of this machine."""
    settings = from_environment()
    where = settings.backend_service, settings.deploy_token
    told = {"reason": asked["reason"], "who": asked["who"]}
    if asked["do"] == "rollback":
        return deployment.rollback(asked["name"], *where, **told)
    with tempfile.TemporaryDirectory() as aside:
        archive, folder = Path(aside) / "version.zip", Path(aside) / "version"
        bucket = Bucket(Session.open(settings))
        bucket.name = asked["bucket"]
        bucket.download(asked["key"], archive)
        artifact.unpack(archive, folder)
        version = Version(asked["name"], asked["version"], folder, artifact.read_manifest(folder))
        return deployment.deploy(version, *where, canary=asked["canary"], anyway=asked["anyway"], **told)


def read_environment(path: Path) -> dict[str, str]:
    """The machine's settings, as its first boot wrote them."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


if __name__ == "__main__":
    os.environ |= read_environment(PROJECT.parent / "environment")
    try:
        answer: dict[str, Any] = {"said": main(json.loads(sys.argv[1]))}
    except WorkbenchError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "workbench.errors"]
        answer = {"failed": {"kind": kinds[0], "message": str(error)}}
    print(json.dumps(answer))
