"""Reports and exports of a job's machines on their way back to the job's folder."""

import json
import os
from pathlib import Path

from workbench.aws.bucket import Bucket, Stored
from workbench.machines import Place, machine_folder
from workbench.machines.aws.exchange.streams import LOG_BYTES, Tree, offset, open_plain
from workbench.system import files

STREAMS = ("events.jsonl", "stdout.log", "stderr.log")
FIELDS = "fields.json"
_COLLECTED = ".collected.json"


def leave_export(bucket: Bucket, prefix: str, folder: Path) -> bool:
    """Bring the export to the bucket, ``fields.json`` last; false if there is none."""
    if not (folder / FIELDS).is_file():
        return False
    Tree(bucket, f"{prefix}export/", folder / "export").sync()
    with open_plain(folder / FIELDS) as file:
        bucket.put(f"{prefix}{FIELDS}", file.read())
    return True


def collect(bucket: Bucket, prefix: str, folder: Path) -> None:
    """Add to the files of each machine what came since the last time, each byte once, whenever this is killed."""
    state = folder / _COLLECTED
    have = _read_state(state)
    streams: dict[str, list[Stored]] = {}
    begin = f"{prefix}reports/"
    for stored in bucket.list(begin):
        streams.setdefault(stored.key[len(begin) :].rpartition("/")[0], []).append(stored)
    for name, parts in streams.items():
        machine, _, file = name.partition("/")
        role, _, index = machine.rpartition("-")
        if file not in STREAMS or not index.isdecimal():
            continue
        at, size = have.get(name, (0, 0))
        if at > offset(parts[-1]) + parts[-1].size:
            at = 0  # begun anew since
        for stored in parts:
            if offset(stored) + stored.size <= at:
                continue
            data = bucket.get(stored.key) or b""
            path = machine_folder(folder, Place(role, int(index))) / file
            size = _add(path, size, data[max(0, at - offset(stored)) :])
            at = offset(stored) + len(data)
            have[name] = at, size
            files.write_json(state, have)


def collect_export(bucket: Bucket, prefix: str, folder: Path) -> bool:
    """Bring the export here, ``fields.json`` last; false if there is none."""
    fields = bucket.get(f"{prefix}{FIELDS}")
    if fields is None:
        return False
    Tree(bucket, f"{prefix}export/", folder / "export").restore()
    files.write(folder / FIELDS, fields)
    return True


def _add(path: Path, size: int, data: bytes) -> int:
    """Add to a file that is known to have this size; its new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > size:
        os.truncate(path, size)  # whoever added more was killed before it was noted
    if path.suffix == ".log" and path.exists() and path.stat().st_size + len(data) > LOG_BYTES:
        path.replace(path.with_name(f"{path.name}.1"))
    with path.open("ab") as file:
        file.write(data)
        return file.tell()


def _read_state(path: Path) -> dict[str, tuple[int, int]]:
    """Read how much was taken of each stream, and the size of the file that it goes to."""
    try:
        return {name: (at, size) for name, (at, size) in json.loads(path.read_text()).items()}
    except FileNotFoundError:
        return {}
