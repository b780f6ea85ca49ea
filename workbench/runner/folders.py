"""A job's folder: what the machines find in it, and what of an attempt before may stay."""

import json
import os
import shutil
from pathlib import Path
from typing import Any

from workbench.jobs import Job


def prepare(folder: Path, job: Job) -> None:
    """Write the recipe and ``job.json``; a checkpoint stays only if the attempt goes on from it.

    No machine of the job may run.
    """
    assert job.recipe is not None
    folder.mkdir(parents=True, exist_ok=True)
    remove_links(folder)
    written = read_json(folder / "job.json")
    if written.get("attempt") != job.attempt:
        shutil.rmtree(folder / "export", ignore_errors=True)
        (folder / "fields.json").unlink(missing_ok=True)
    if written.get("origin") != job.origin:
        shutil.rmtree(folder / "checkpoints", ignore_errors=True)
    shutil.rmtree(folder / "recipe", ignore_errors=True)
    job.recipe.write(folder / "recipe")
    fields = ("name", "epochs", "ps", "workers", "attempt", "origin")
    values = {"job": job.id, "seed": 0, **{name: getattr(job, name) for name in fields}}
    (folder / "job.json").write_text(json.dumps(values))


def is_prepared(folder: Path, job: Job) -> bool:
    """Whether the folder was prepared for this very attempt."""
    return bool(read_json(folder / "job.json").get("attempt") == job.attempt)


def has_machines(folder: Path) -> bool:
    """Whether machines were told to work in the folder, and nobody has ended them since."""
    return "cluster" in read_json(folder / "job.json")


def forget_machines(folder: Path) -> None:
    """Note that no machine works in the folder any more; doing so again changes nothing."""
    values = read_json(folder / "job.json")
    if values.pop("cluster", None) is not None:
        # No link: the recipe's code may have left one, and this process may write more than that may.
        descriptor = os.open(folder / "job.json", os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW)
        with open(descriptor, "w") as file:  # noqa: PTH123
            json.dump(values, file)


def has_export(folder: Path) -> bool:
    """Whether the leading machine has left a whole export: it writes ``fields.json`` last."""
    return (folder / "fields.json").exists()


def clear(folder: Path) -> None:
    """Remove what a completed job needs no more: its version has all that is worth keeping."""
    for name in ("export", "checkpoints"):
        shutil.rmtree(folder / name, ignore_errors=True)


def remove_links(folder: Path) -> None:
    """Remove symbolic links that a recipe's code may have left where we are about to write."""
    for path in sorted(folder.rglob("*")):
        if path.is_symlink():
            path.unlink()


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file; empty if there is none that can be read."""
    try:
        value = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return value if isinstance(value, dict) else {}
