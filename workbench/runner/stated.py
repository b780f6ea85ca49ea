"""What the machines say of their export, ``fields.json``: checked, with limits, and without what is not theirs to say.

Figures are not theirs: the recipe's code runs where they are made. They are those that were measured afterwards.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from workbench.errors import ModelRefused
from workbench.manifest import Input, Manifest, ModelOutput
from workbench.runner.folders import FIELDS, MAX_JSON
from workbench.system import untrusted_folders
from workbench.tasks.verification import Measured

MAX_LABELS = 100_000
MAX_NAMES = 100
"""Entries of a mapping: metrics, frameworks, forms that are missing."""
MAX_NAME = 100
MAX_TEXT = 1_000
MAX_SIZE = 2**31
"""Numbers in one input or output."""
MAX_METRIC = 1e300
OTHERS_TO_SAY = ("name", "version", "created", "job", "files", "metrics", "output", "outputs", "corrections")
SHARES = ("accuracy", "low", "high")
"""Metrics that are shares of the held-out part."""


def read_stated(folder: Path) -> Manifest:
    """Read what the machines of a job's folder say of the model: its input, labels, training.

    A recipe may have written the file itself. Name, number, time, job and files of a version are the registry's and
    the runner's to say, figures and output are measured, so they are left out here, as is what nobody knows.

    Raises
    ------
    ModelRefused
        There is no such file, or a value cannot be; the message names it.
    """
    try:
        told = untrusted_folders.read_json(folder, FIELDS, MAX_JSON)
    except (OSError, ValueError) as error:
        said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise ModelRefused(f"{FIELDS}, which comes with an export, cannot be read: {said[:200]}") from error
    stated = Manifest.parse({key: value for key, value in told.items() if key not in OTHERS_TO_SAY})
    stated = replace(stated, others={})
    _check(stated)
    return stated


def complete(stated: Manifest, measured: Measured) -> Manifest:
    """The manifest with what was measured.

    Raises
    ------
    ModelRefused
        A figure cannot be.
    """
    metrics = _finite(measured.metrics)
    outputs = tuple(replace(one, metrics=_finite(one.metrics)) for one in measured.outputs)
    made = replace(
        stated,
        metrics=metrics,
        output=measured.output,
        outputs=outputs,
        corrections=measured.corrections,
    )
    _check(made)
    return made


def _finite(metrics: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in metrics.items() if abs(value) < MAX_METRIC}  # no NaN either


def _check(stated: Manifest) -> None:
    _check_texts("labels", stated.labels, MAX_LABELS)
    for name in ("frameworks", "missing"):
        part: Mapping[str, str] = getattr(stated, name)
        _check_texts(name, part, MAX_NAMES)
        _check_texts(name, part.values(), MAX_NAMES)
    _check_texts("metrics", stated.metrics, MAX_NAMES)
    for name in SHARES:
        if not 0 <= (value := stated.metrics.get(name, 0)) <= 1:
            raise ModelRefused(
                f"{FIELDS}: metrics.{name} must be a number from 0 to 1. Received: {value!r:.80}"
            )
    for name, several in (("inputs", stated.inputs), ("outputs", stated.outputs)):
        _check_texts(name, [one.name for one in several], MAX_NAMES)
    of_each: list[tuple[str, Input | ModelOutput | None]] = [
        ("input", stated.input),
        ("output", stated.output),
    ]
    of_each += [(f"inputs.{one.name}", one) for one in stated.inputs]
    of_each += [(f"outputs.{one.name}", one) for one in stated.outputs]
    for given in (stated.input, *stated.inputs):
        for column in given.columns if given else ():
            _check_texts("input.columns", (column.name, *column.categories), MAX_LABELS)
    for output in stated.outputs:
        _check_texts(f"outputs.{output.name}.labels", output.labels, MAX_LABELS)
    for place, shaped in of_each:
        sides = shaped.shape if shaped else ()
        if len(sides) > 16 or math.prod(side or 1 for side in sides) > MAX_SIZE:
            raise ModelRefused(f"{FIELDS}: {place}.shape is no model's. Received: {str(sides)[:80]}")
    if not 0 <= stated.training.seconds < 1e9:
        raise ModelRefused(f"{FIELDS}: training.seconds cannot be. Received: {stated.training.seconds!r:.80}")


def _check_texts(name: str, texts: Iterable[str], most: int) -> None:
    texts = list(texts)
    if len(texts) > most:
        raise ModelRefused(f"{FIELDS}: {name} has {len(texts):,} entries, more than {most:,}")
    for text in texts:
        if len(text) > MAX_TEXT or "\0" in text or text != text.encode(errors="replace").decode():
            raise ModelRefused(
                f"{FIELDS}: {name} holds what is no text of up to {MAX_TEXT} characters: {text!r:.80}"
            )
