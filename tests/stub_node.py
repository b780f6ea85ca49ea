"""Stands for ``workbench.node`` where training is not the point: the same protocol, no TensorFlow, quick.

The recipe's ``training.py`` is run on every machine and may define ``before(place)`` and ``step(place, step)`` to
misbehave with, and ``STEPS``. The leading machine counts steps, writes a checkpoint at each and exports at the end.
"""

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from workbench import events

STEP_S = 0.02


def main(arguments: list[str]) -> int:
    folder, role, index = Path(arguments[0]), arguments[1], int(arguments[2])
    job = json.loads((folder / "job.json").read_text())
    place = f"{role} {index}"
    leader = "chief 0" if "chief" in job["cluster"] else "worker 0"
    writer = events.Writer(folder / "machines" / f"{role}-{index}" / "events.jsonl", role, index)
    writer.phase("starting")
    print(f"{place} begins as user {os.getuid()}", flush=True)
    finished = folder / f"finished-{job.get('attempt', 1)}"
    try:
        program = _load(folder / "recipe" / "training.py")
        writer.phase("initializing")
        program.get("before", _nothing)(place)
        if place == leader:
            _lead(folder, writer, program, place)
            writer.phase("done")
            finished.touch()
            return 0
        step = 0
        while not finished.exists():
            program.get("step", _nothing)(place, step)
            step += 1
            time.sleep(STEP_S)
        writer.phase("done")
        return 0
    except (Exception, SystemExit) as error:
        writer.error(
            f"{type(error).__name__}: {error}", field="training", line=1, traceback=traceback.format_exc()
        )
        return 3
    finally:
        writer.close()


def _load(path: Path) -> dict[str, Any]:
    program: dict[str, Any] = {}
    if path.exists():
        exec(compile(path.read_text(), path, "exec"), program)
    return program


def _lead(folder: Path, writer: events.Writer, program: dict[str, Any], place: str) -> None:
    steps = program.get("STEPS", 10)
    checkpoint = folder / "checkpoints" / "step"
    checkpoint.parent.mkdir(exist_ok=True)
    done = int(checkpoint.read_text()) if checkpoint.exists() else 0
    writer.phase("training")
    if done:
        writer.log(f"goes on from step {done}")
    while done < steps:
        program.get("step", _nothing)(place, done)
        time.sleep(STEP_S)
        done += 1
        writer.metric(events.Progress(step=done, of=steps, epoch=1, loss=1 / done, accuracy=done / steps))
        aside = checkpoint.with_name("aside")
        aside.write_text(str(done))
        aside.replace(checkpoint)
    if (score := program.get("SCORE")) is not None:
        told = events.Progress(
            step=done, of=steps, epoch=1, loss=0.1, accuracy=score, val_loss=1 - score, val_accuracy=score
        )
        writer.metric(told)
    writer.phase("exporting")
    export = folder / "export"
    export.mkdir(exist_ok=True)
    (export / "model.keras").write_text(f"trained for {done} steps")
    (export / "evaluation.json").write_text(json.dumps({"count": 10, "accuracy": 0.9}))
    fields = {"metrics": {"accuracy": 0.9}, "labels": ["a", "b"]}
    (folder / "fields.json").write_text(json.dumps(fields))


def _nothing(*_: Any) -> None:
    pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
