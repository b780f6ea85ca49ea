"""A job's model as its newest checkpoint has it, asked about drawings while the job goes on training.

A task of its own, sandboxed as any machine: it builds the model with the user's code. ``workbench.tasks.preview`` begins it and
speaks to it by files in its folder, each written aside and renamed:

- ``newest.json`` ``{"name": "ckpt-420"}``: a checkpoint that lies in the folder;
- ``request.json`` ``{"id", "x"}``: a picture as the model takes it, 0 to 255, in base64;
- ``lease``: touched by whoever looks; when nobody has for a while, the task ends;
- ``ready.json``: what the model takes, or why there is none; ``answer.json`` ``{"id", "step", "probabilities"}``.
"""

import base64
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from workbench import arrays, datasets, packages, recipes, scores
from workbench.errors import RecipeError, WorkbenchError
from workbench.fields import Fields
from workbench.lineage import parse_pins
from workbench.node import data, export
from workbench.node import model as models
from workbench.node.checkpoint import Checkpoints
from workbench.settings import from_environment
from workbench.system import files

LEASE_S = 60.0
"""How long it stays without anybody looking."""
POLL_S = 0.02


class Previewed:
    """The recipe's model, and what a picture must be for it.

    Attributes
    ----------
    step
        Of the checkpoint that the model was brought to; ``None`` before the first.
    """

    def __init__(self, folder: Path, epochs: int | None, needed: str = "") -> None:
        packages.use(needed, from_environment().packages)
        recipes.enter(folder / "recipe", Path("recipe"))
        program = recipes.load(recipes.read_code(folder / "recipe"), folder / "recipe")
        if epochs is not None:
            program = program.set_epochs(epochs)
        try:
            train, test = program.load_data()
            sample = data.prepare(train, batch_size=program.batch_size, augment=None, seed=0).sample
            x, _ = data.arrays(test)
            self.model = models.build(program, sample)
            signature = models.signature(self.model, program, sample)
            if not (signature.one_input and signature.one_output):
                raise RecipeError(
                    f"a preview shows one picture in and one answer out; this model takes {', '.join(signature.inputs)} and "
                    f"gives {', '.join(signature.outputs)}"
                )
            x = arrays.with_sides(arrays.fit(x, signature.inputs), signature.inputs, signature.shapes)
        except RecipeError:
            raise
        except Exception as error:
            raise recipes.explain(error, folder / "recipe") from error
        self.input = export.describe_input(program, self.model, x)
        self.preprocessing = (program.input_ or {}).get("preprocessing", "none")
        self.labels = list(next(iter(program.output_labels.values()), program.labels))
        self.step: int | None = None
        self._folder = folder
        self._answer = tf.function(lambda x: signature.name(self.model(signature.give(x), training=False)))

    def describe(self) -> dict[str, object]:
        """What a picture must be, and what the classes are called."""
        taken = {"kind": self.input.kind, "shape": list(self.input.sizes)}
        return {"input": taken, "preprocessing": self.preprocessing, "labels": self.labels}

    def restore(self, name: str) -> None:
        """Bring the model to a checkpoint that lies in the folder, and remove it from there."""
        last = self._folder / "last"
        last.mkdir(exist_ok=True)
        step = _step(name)
        for path in self._folder.glob("ckpt-*"):
            if path.name.startswith(f"{name}."):
                path.replace(last / path.name)
            elif _step(path.name) < step:
                path.unlink()
        state = f'model_checkpoint_path: "{name}"\nall_model_checkpoint_paths: "{name}"\n'
        (last / "checkpoint").write_text(state)
        checkpoints = Checkpoints(self._folder, self.model, print)
        checkpoints.restore()
        self.step = checkpoints.step
        for path in last.glob("ckpt-*"):
            path.unlink()

    def probabilities(self, pixels: bytes) -> list[float]:
        """What the model says of a picture, 0 to 255 in its own shape."""
        low, high = self.input.range
        x = np.frombuffer(pixels, np.uint8).reshape(1, *self.input.sizes).astype(np.float32)
        outputs = self._answer(x * np.float32((high - low) / 255) + np.float32(low)).numpy()
        kind = scores.measure(outputs, says_logits=bool(models.says_logits(self.model)))
        return [float(p) for p in scores.probabilities(outputs, kind)[0]]


def main(arguments: list[str]) -> int:
    """The task: answer what is asked until nobody looks any more."""
    folder = Path(arguments[0])
    task = json.loads((folder / "task.json").read_text())
    # The versions that the job itself learns from, whatever was added since.
    datasets.pin(parse_pins(Fields(task), "datasets"))
    try:
        previewed = Previewed(folder, task["epochs"], task.get("packages", ""))
    except (RecipeError, WorkbenchError) as error:
        files.write_json(folder / "ready.json", {"error": str(error)})
        return 0
    files.write_json(folder / "ready.json", previewed.describe())
    newest, request = _Changing(folder / "newest.json"), _Changing(folder / "request.json")
    asked: dict[str, Any] | None = None
    while time.time() - (folder / "lease").stat().st_mtime < task.get("lease_s", LEASE_S):
        if (found := newest.read()) is not None:
            previewed.restore(found["name"])
        asked = request.read() or asked
        if asked is not None and previewed.step is not None:
            said = previewed.probabilities(base64.b64decode(asked["x"]))
            answer = {"id": asked["id"], "step": previewed.step, "probabilities": said}
            files.write_json(folder / "answer.json", answer)
            asked = None
        time.sleep(POLL_S)
    return 0


class _Changing:
    """A file that is replaced now and then."""

    def __init__(self, path: Path) -> None:
        self._path, self._seen = path, (0, 0)

    def read(self) -> dict[str, Any] | None:
        """What is in it, if it is another one than before."""
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return None
        mark = (found.st_ino, found.st_mtime_ns)
        if mark == self._seen:
            return None
        self._seen = mark
        return dict(json.loads(self._path.read_text()))


def _step(name: str) -> int:
    """Of ``ckpt-420`` or ``ckpt-420.index``."""
    return int(name.removeprefix("ckpt-").partition(".")[0])
