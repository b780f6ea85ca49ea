"""The film of a job's learning on its way back while it trains: its leading machine leaves it with the checkpoints."""

import json
import re
from pathlib import Path

from workbench.aws.bucket import Bucket
from workbench.system import untrusted_changes, untrusted_folders

FILM = "checkpoints/film"
"""In the job's folder."""
FORM = "form.json"
MOST, MOST_BYTES = 33, 16 * 1024 * 1024
"""Files of a film, and bytes of each, that are brought."""
_NAME = re.compile(r"form\.json|frame-[0-9]{1,12}", re.ASCII)
_COLLECTED = ".stills.json"
MAX_STATE = 64 * 1024


def collect(bucket: Bucket, prefix: str, folder: Path) -> None:
    """Bring what is new of the film; frames that have left it go. What is stored there no more stays here.

    Parameters
    ----------
    prefix
        Of the job's checkpoints.
    """
    begin = f"{prefix}film/"
    there = {
        name: stored
        for stored in bucket.list(begin)
        if _NAME.fullmatch(name := stored.key[len(begin) :]) and stored.size <= MOST_BYTES
    }
    if FORM not in there or len(there) > MOST:
        return
    have = {
        name: etag
        for name, etag in _read_state(folder, prefix).items()
        if name not in there or untrusted_folders.size_of(folder, f"{FILM}/{name}") == there[name].size
    }
    new = [name for name in there if have.get(name) != there[name].etag and name != FORM]
    gone = [name for name in have if name not in there]
    # Who reads it takes a new form for a new film, and reads all frames again: it comes last.
    anew = have.get(FORM) != there[FORM].etag or any(name in have for name in new)
    if not (new or gone or anew):
        return
    untrusted_changes.make_folder(folder, FILM)
    for name in gone:
        untrusted_changes.remove(folder, f"{FILM}/{name}")
        del have[name]
    for name in [*sorted(new), *([FORM] if anew else [])]:
        content = bucket.get(there[name].key)
        if content is None or len(content) > MOST_BYTES:
            continue
        untrusted_changes.write(folder, f"{FILM}/{name}", content)
        have[name] = there[name].etag
    untrusted_changes.write(folder, _COLLECTED, json.dumps({"of": prefix, "files": have}).encode())


def _read_state(folder: Path, prefix: str) -> dict[str, str]:
    """Read the files that were brought, and their marks; none where that cannot be, or where they are of other checkpoints."""
    try:
        told = untrusted_folders.read_json(folder, _COLLECTED, MAX_STATE)
    except (OSError, ValueError):
        return {}
    files = told.get("files")
    if told.get("of") != prefix or not isinstance(files, dict):
        return {}
    return {name: str(etag) for name, etag in files.items() if _NAME.fullmatch(name)}
