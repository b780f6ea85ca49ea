"""What the application's back end is asked for, by a command on its machine: deployments, visitors' corrections.

No token leaves AWS: the back end's machine has its own.
"""

import json
import secrets
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from workbench import artifact
from workbench.aws import commands, names, outputs
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.backends import http
from workbench.errors import BadInput, ModelRefused, NotFound, Unavailable, WorkbenchError
from workbench.models.registry import Version
from workbench.settings import Settings

if TYPE_CHECKING:
    from workbench import datasets

TIMEOUT_S = 300.0
KINDS = {kind.__name__: kind for kind in (BadInput, NotFound, ModelRefused, Unavailable)}
"""What the machine may say went wrong."""
_RECEIVE = (
    'cd "${WORKBENCH_MACHINE_ROOT:-/opt/workbench}/code" && '
    'exec ../env/bin/python -m workbench.backends.on_machine "$1"'
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
    """Let a version answer on AWS: put into the bucket, then fetched, checked and activated on the back end's machine.

    Parameters, answer and errors are those of ``deployment.deploy``.
    """
    given = outputs.find(session, settings)
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
    return dict(_ask(session, given.backend, asked))


def rollback(
    session: Session, settings: Settings, name: str, *, reason: str = "", who: str = ""
) -> dict[str, Any]:
    """Let the version that served before answer again on AWS, as ``deployment.rollback``."""
    given = outputs.find(session, settings)
    asked = {"do": "rollback", "name": artifact.check_name(name), "reason": reason, "who": who}
    return dict(_ask(session, given.backend, asked))


def corrections(session: Session, settings: Settings, *, state: str | None = None) -> list[dict[str, Any]]:
    """What visitors corrected on AWS, as ``deployment.all_corrections``."""
    given = outputs.find(session, settings)
    return list(_ask(session, given.backend, {"do": "corrections", "state": state}))


def review(
    session: Session, settings: Settings, ids: list[str] | None, verdict: Literal["accept", "reject"]
) -> list[dict[str, Any]]:
    """Accept or reject corrections on AWS, as ``deployment.review_many``."""
    given = outputs.find(session, settings)
    return list(_ask(session, given.backend, {"do": "review", "ids": ids, "verdict": verdict}))


def export_corrections(session: Session, settings: Settings) -> "datasets.Corrected":
    """Fetch the corrections that were accepted on AWS by way of the bucket, as ``deployment.export_corrections``."""
    given = outputs.find(session, settings)
    bucket = Bucket(session)
    key = f"{commands.left_in(session)}/{secrets.token_hex(8)}/corrections.zip"
    try:
        _ask(session, given.backend, {"do": "export", "bucket": bucket.name, "key": key})
        zipped = bucket.get(key)
    finally:
        bucket.delete(key)
    if zipped is None:
        raise Unavailable(f"the back end's machine put no corrections to {key}; ask again")
    return http.keep_corrections(zipped, settings)


def _ask(session: Session, machine: str, asked: dict[str, Any]) -> Any:
    """What the back end of the machine says to it."""
    try:
        done = commands.run(
            session,
            Bucket(session),
            [machine],
            ["sh", "-c", _RECEIVE, "receive", json.dumps(asked)],
            timeout_s=TIMEOUT_S,
            comment=f"workbench {asked['do']} {asked.get('name', '')}".strip(),
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
    return answer["said"]
