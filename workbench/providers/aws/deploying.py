"""A version put behind the application's back end: to the bucket, then fetched, checked and activated on that machine.

No token leaves AWS: the back end's machine has its own.
"""

import json
import tempfile
from pathlib import Path
from typing import Any

from workbench import artifact
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError
from workbench.providers.aws import commands, names, stack
from workbench.providers.aws.bucket import Bucket
from workbench.providers.aws.clients import Session
from workbench.registry import Version
from workbench.settings import Settings

TIMEOUT_S = 300.0
KINDS = {kind.__name__: kind for kind in (BadInput, NotFound, ModelRefused, Unavailable)}
"""What the machine may say went wrong."""
_RECEIVE = (
    'cd "${WORKBENCH_MACHINE_ROOT:-/opt/workbench}/code" && '
    'exec ../env/bin/python -m workbench.providers.aws.receiving "$1"'
)


def deploy(
    session: Session,
    settings: Settings,
    version: Version,
    *,
    reason: str = "",
    who: str = "",
    canary: float | None = None,
    anyway: bool = False,
) -> dict[str, Any]:
    """Let a version answer on AWS; parameters, answer and errors as those of ``deployment.deploy``."""
    given = stack.outputs(session, settings)
    artifact.verify(version.folder)
    bucket = Bucket(session)
    key = names.version_key(session.home, version.name, version.version)
    if not bucket.has(key):
        with tempfile.TemporaryDirectory() as aside:
            bucket.put(key, artifact.pack(version.folder, Path(aside) / "version.zip"))
    asked = {
        "do": "deploy",
        "bucket": bucket.name,
        "key": key,
        "name": version.name,
        "version": version.version,
        "reason": reason,
        "who": who,
        "canary": canary,
        "anyway": anyway,
    }
    return _ask(session, given.backend, asked)


def rollback(
    session: Session, settings: Settings, name: str, *, reason: str = "", who: str = ""
) -> dict[str, Any]:
    """Let the version that served before answer again on AWS, as ``deployment.rollback``."""
    given = stack.outputs(session, settings)
    asked = {"do": "rollback", "name": artifact.check_name(name), "reason": reason, "who": who}
    return _ask(session, given.backend, asked)


def _ask(session: Session, machine: str, asked: dict[str, Any]) -> dict[str, Any]:
    try:
        done = commands.run(
            session,
            Bucket(session),
            [machine],
            ["sh", "-c", _RECEIVE, "receive", json.dumps(asked)],
            timeout_s=TIMEOUT_S,
            comment=f"workbench {asked['do']} {asked['name']}",
        )[machine]
    except NotFound as error:
        raise NotFound(
            f"the back end's machine {machine} takes no commands: {error}; start it with: workbench start app "
            "--provider aws"
        ) from error
    try:
        answer = json.loads(done.stdout.strip().rpartition("\n")[2])
    except ValueError as error:
        words = (done.stderr or done.stdout).strip()[-500:]
        raise Unavailable(
            f"the back end's machine failed ({done.code}): {words or 'it says nothing'}"
        ) from error
    if failed := answer.get("failed"):
        raise KINDS.get(failed["kind"], WorkbenchError)(failed["message"])
    return dict(answer["said"])
