"""What the back end's machine does when it is asked: ``python -m workbench.backends.on_machine '{"do": …}'``.

Prints one line of JSON: what the back end says, or what went wrong.
"""

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from workbench import artifact
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.backends import http
from workbench.errors import BadInput, WorkbenchError
from workbench.models.registry import Version
from workbench.settings import PROJECT, Settings, from_environment


def main(asked: dict[str, Any]) -> Any:
    """Do what is asked with the back end of this machine."""
    settings = from_environment()
    where = settings.backend_service, settings.deploy_token
    match asked["do"]:
        case "corrections":
            return http.all_corrections(*where, state=asked["state"])
        case "review":
            return http.review_many(asked["ids"], asked["verdict"], *where)
        case "export":
            _bucket(asked, settings).put(asked["key"], http.fetch_corrections(*where))
            return {}
        case "rollback":
            return http.rollback(asked["name"], *where, reason=asked["reason"], who=asked["who"])
        case "deploy":
            return _deploy(asked, settings)
    raise BadInput(f"this machine's back end is of another version and knows no {asked['do']!r}")


def _deploy(asked: dict[str, Any], settings: Settings) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as aside:
        archive, folder = Path(aside) / "version.zip", Path(aside) / "version"
        _bucket(asked, settings).download(asked["key"], archive)
        artifact.unpack(archive, folder)
        version = Version(asked["name"], asked["version"], folder, artifact.read_manifest(folder))
        told = {key: asked[key] for key in ("reason", "who", "canary", "anyway")}
        return http.deploy(version, settings.backend_service, settings.deploy_token, **told)


def _bucket(asked: dict[str, Any], settings: Settings) -> Bucket:
    bucket = Bucket(Session.open(settings))
    bucket.name = asked["bucket"]
    return bucket


def read_environment(path: Path) -> dict[str, str]:
    """The machine's settings, as its first boot wrote them."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


if __name__ == "__main__":
    os.environ |= read_environment(PROJECT.parent / "environment")
    try:
        answer = {"said": main(json.loads(sys.argv[1]))}
    except WorkbenchError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "workbench.errors"]
        answer = {"failed": {"kind": kinds[0], "message": str(error)}}
    print(json.dumps(answer))
