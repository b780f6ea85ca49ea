"""A job's folder: what the machines find in it, and what of an attempt before may stay.

The folder belongs to the machines' user, so nothing in it is believed. What the runner must know of it later stands in a
note of its own beside it, ``jobs/.ID.json``, which no machine can write.
"""

import contextlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

from workbench.jobs import Job
from workbench.models import held_out
from workbench.runner.budget import Remainder
from workbench.system import files, scratch, untrusted_changes, untrusted_folders, wire

FIELDS = "fields.json"
NONE, BEGUN, WORKING = "none", "begun", "working"
MAX_JSON = 1024 * 1024
"""Bytes of ``job.json``, ``fields.json`` and our note."""


@dataclass(frozen=True)
class Note:
    """What the runner keeps of a job's folder.

    Attributes
    ----------
    attempt, origin
        Of the job, for which it was prepared.
    machines
        ``NONE`` work in it, some are being ``BEGUN``, or ``WORKING``.
    unchecked
        What its check found is lost with another home, such as the hash of the held-out part.
    """

    attempt: int = 0
    origin: int = 0
    machines: str = NONE
    unchecked: bool = False


def prepare(
    folder: Path, job: Job, remainder: Remainder | None = None, kept: Path | None = None, packages: str = ""
) -> None:
    """Write the recipe and ``job.json``; a checkpoint stays only if the attempt goes on from it.

    No machine of the job may run.

    Parameters
    ----------
    remainder
        What is left of what the job may cost: machines that cost end by themselves when it is used up.
    kept
        Where the files beside recipes are kept.
    packages
        The name of the lock of what the recipe needs besides ours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    note = read_note(folder)
    if note.attempt != job.attempt:
        for name in (FIELDS, "export", held_out.FILE):
            untrusted_changes.remove(folder, name)
    if note.origin != job.origin:
        untrusted_changes.remove(folder, "checkpoints")
    put_recipe(folder, job, kept)
    fields = ("name", "requester", "epochs", "ps", "workers", "attempt", "origin")
    values = {"job": job.id, "seed": 0, **{name: getattr(job, name) for name in fields}}
    if packages:
        values["packages"] = packages
    values["datasets"] = wire.pack(job.datasets)
    if remainder is not None:
        values |= {"lasts_s": remainder.lasts_s, "cap": remainder.cap}
    untrusted_changes.write(folder, "job.json", json.dumps(values).encode())
    _write_note(folder, Note(job.attempt, job.origin))


def put_recipe(folder: Path, job: Job, kept: Path | None = None) -> None:
    """Write the recipe as it was submitted; what was in its place goes.

    Raises
    ------
    NotFound
        A file beside its code is not kept any more.
    """
    assert job.recipe is not None
    with scratch.folder(folder.parent) as aside:
        job.recipe.write(aside / "recipe", kept)
        untrusted_changes.move_in(aside / "recipe", folder, "recipe")


def is_prepared(folder: Path, job: Job) -> bool:
    """Whether the folder was prepared for this very attempt."""
    return read_note(folder).attempt == job.attempt


def note_machines(folder: Path, machines: str) -> None:
    """Note that machines are told to work in the folder, or that they do."""
    _write_note(folder, replace(read_note(folder), machines=machines))


def note_elsewhere(folder: Path) -> None:
    """Note that machines work for the folder that a home which is lost has begun."""
    _write_note(folder, replace(read_note(folder), machines=WORKING, unchecked=True))


def has_machines(folder: Path) -> bool:
    """Whether machines work in the folder, and nobody has ended them since."""
    return read_note(folder).machines == WORKING


def may_have_machines(folder: Path) -> bool:
    """Whether machines work in the folder, or were just being told so."""
    return read_note(folder).machines != NONE


def forget_machines(folder: Path) -> None:
    """Note that no machine works in the folder any more; doing so again changes nothing."""
    if may_have_machines(folder):
        _write_note(folder, replace(read_note(folder), machines=NONE))


def has_export(folder: Path) -> bool:
    """Whether the leading machine has left a whole export: it writes ``fields.json`` last."""
    return untrusted_folders.is_file(folder, FIELDS)


def clear(folder: Path) -> None:
    """Remove what a completed job needs no more: its version has all that is worth keeping."""
    for name in ("export", "checkpoints", held_out.FILE, held_out.AGAIN):
        untrusted_changes.remove(folder, name)


def read_note(folder: Path) -> Note:
    """Read our note; without one, of a home that an older workbench left, believe ``job.json`` once more."""
    with contextlib.suppress(OSError, ValueError):
        return wire.unpack(Note, json.loads(_note(folder).read_text()))
    with contextlib.suppress(OSError, ValueError, KeyError):
        told = untrusted_folders.read_json(folder, "job.json", MAX_JSON)
        machines = WORKING if "cluster" in told else NONE
        return wire.unpack(Note, {"attempt": told["attempt"], "origin": told["origin"], "machines": machines})
    return Note()


def _write_note(folder: Path, note: Note) -> None:
    files.write_json(_note(folder), wire.pack(note), mode=0o600)


def _note(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.json")
