"""Reports and exports of a job's machines on their way back to the job's folder."""

import contextlib
import json
import os
import re
from pathlib import Path

from workbench.aws.bucket import Bucket, Stored
from workbench.errors import NotFound
from workbench.machines import Place, machine_folder
from workbench.machines.aws.exchange.streams import LOG_BYTES, offset
from workbench.machines.aws.exchange.trees import Tree
from workbench.system import scratch, untrusted_changes, untrusted_folders

STREAMS = ("events.jsonl", "stdout.log", "stderr.log")
FIELDS = "fields.json"
HELD_OUT = "held_out.npz"
"""The held-out part of the job's data, which the export is measured on."""
MAX_FIELDS = 1024 * 1024
MAX_HELD_OUT = 4 * 1024**3
_STREAM = re.compile(r"([a-z]{1,20})-([0-9]{1,9})/([a-z.]{1,40})", re.ASCII)
_COLLECTED = ".collected.json"


def leave_export(bucket: Bucket, prefix: str, folder: Path) -> bool:
    """Bring the export and the held-out part to the bucket, ``fields.json`` last; false if there is none."""
    try:
        fields = untrusted_folders.read(folder, FIELDS, MAX_FIELDS)
    except OSError:
        return False
    Tree(bucket, f"{prefix}export/", folder, "export").sync()
    with contextlib.suppress(OSError), untrusted_folders.opened_file(folder, HELD_OUT) as (file, found):
        if found.st_size <= MAX_HELD_OUT:
            with os.fdopen(os.dup(file), "rb") as content:
                bucket.put(f"{prefix}{HELD_OUT}", content)
    bucket.put(f"{prefix}{FIELDS}", fields)
    return True


def collect(bucket: Bucket, prefix: str, folder: Path) -> None:
    """Add to the files of each machine what came since the last time, each byte once, whenever this is killed."""
    have = _read_state(folder)
    streams: dict[str, list[Stored]] = {}
    begin = f"{prefix}reports/"
    for stored in bucket.list(begin):
        streams.setdefault(stored.key[len(begin) :].rpartition("/")[0], []).append(stored)
    if streams:
        folder.mkdir(parents=True, exist_ok=True)
    for name, parts in streams.items():
        if (match := _STREAM.fullmatch(name)) is None or match[3] not in STREAMS:
            continue
        place = Place(match[1], int(match[2]))
        at, size = have.get(name, (0, 0))
        if at > offset(parts[-1]) + parts[-1].size:
            at = 0  # begun anew since
        for stored in parts:
            if offset(stored) + stored.size <= at:
                continue
            data = bucket.get(stored.key) or b""
            size = _add(folder, place, match[3], size, data[max(0, at - offset(stored)) :])
            at = offset(stored) + len(data)
            have[name] = at, size
            untrusted_changes.write(folder, _COLLECTED, json.dumps(have).encode())


def collect_export(bucket: Bucket, prefix: str, folder: Path) -> bool:
    """Bring the export and the held-out part here, ``fields.json`` last; false if there is none."""
    fields = bucket.get(f"{prefix}{FIELDS}")
    if fields is None:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    Tree(bucket, f"{prefix}export/", folder, "export").restore()
    with scratch.folder(folder.parent) as aside, contextlib.suppress(NotFound):
        bucket.download(f"{prefix}{HELD_OUT}", aside / "part")
        untrusted_changes.move_in(aside / "part", folder, HELD_OUT)
    untrusted_changes.write(folder, FIELDS, fields)
    return True


def _add(folder: Path, place: Place, file: str, size: int, data: bytes) -> int:
    """Add to a machine's file that is known to have this size; its new one."""
    own = str(machine_folder(Path(), place))
    untrusted_changes.make_folder(folder, own)
    name = f"{own}/{file}"
    if file.endswith(".log") and min(size, untrusted_folders.size_of(folder, name)) + len(data) > LOG_BYTES:
        untrusted_changes.rename(folder, name, f"{file}.1")
        size = 0
    return untrusted_changes.add(
        folder, name, data, size
    )  # whoever added more was killed before it was noted


def _read_state(folder: Path) -> dict[str, tuple[int, int]]:
    """Read how much was taken of each stream, and the size of the file that it goes to; nothing where that cannot be."""
    try:
        told = untrusted_folders.read_json(folder, _COLLECTED, MAX_FIELDS)
        return {name: _pair(pair) for name, pair in told.items()}
    except (OSError, ValueError):
        return {}


def _pair(told: object) -> tuple[int, int]:
    if isinstance(told, list) and len(told) == 2 and all(type(one) is int and one >= 0 for one in told):
        return told[0], told[1]
    raise ValueError("a stream has two numbers, from 0")
