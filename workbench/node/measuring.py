"""A job's export measured where none of its recipe's code runs: loaded back, asked about the held-out part, described."""

import contextlib
import shutil
import stat
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from workbench import arrays, datasets
from workbench.errors import WorkbenchError
from workbench.lineage import CorrectedPart
from workbench.manifest import Manifest, ModelOutput, OutputKind
from workbench.models import evaluation, held_out, published_evaluation
from workbench.models.measured import Evaluated
from workbench.node import forms
from workbench.node.forms import ONNX, SAVED_MODEL
from workbench.node.given.signature import INPUT, OUTPUT
from workbench.node.inference import predict, run_onnx, run_saved_model
from workbench.node.retraining import parent
from workbench.node.retraining.corrected import describe_corrections
from workbench.system import untrusted_folders

Predict = Callable[[Any], Any]

TOLERANCE = 1e-3
"""Largest difference of an output, relative to the largest output, from what the training machine had."""
MAX_FIELDS = 1024 * 1024
MADE = (published_evaluation.FILE, "confusion.svg", "calibration.svg", "worst.png", "scatter.svg")
"""The files that an evaluation leaves."""


@dataclass(frozen=True)
class MeasuredExport:
    """What the child says of an export: a figure, unless the held-out part is not the expected one."""

    held_out: str
    """The digest of what is there; empty where there is none that can be read."""
    metrics: dict[str, float]
    output: ModelOutput | None = None
    corrections: CorrectedPart | None = None
    outputs: tuple[ModelOutput, ...] = ()


def measure(folder: Path, file: str, expected: str) -> MeasuredExport:
    """Measure the export of a job's folder, and write its evaluation anew, whatever it said of itself.

    Parameters
    ----------
    file
        Holds the held-out part.
    expected
        Its digest, if that is known; of another part nothing is measured.

    Raises
    ------
    Exception
        The model cannot be loaded, answers differently, or not at all.
    """
    try:
        _check_plain(untrusted_folders.is_file(folder, file), file)
        x, y = held_out.read(folder / file)
    except ValueError:
        return MeasuredExport("", {})
    digest = held_out.digest(x, y)
    if expected not in ("", digest):
        return MeasuredExport(digest, {})
    export_folder = folder / "export"
    if not stat.S_ISDIR((folder / "export").lstat().st_mode):
        raise ValueError("export is no folder")
    for _, path, found in untrusted_folders.walk(folder, "export"):  # a FIFO would be waited for
        _check_plain(stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode), path)
    load_back(export_folder)
    told = untrusted_folders.read_json(folder, "fields.json", MAX_FIELDS)
    stated = _parse(_without_claims(told), "labels", "input", "inputs", "output", "outputs")
    inputs, outputs = [one.name for one in stated.inputs], [*stated.fetches]
    x, y = arrays.fit(x, inputs or [INPUT]), arrays.fit(y, outputs or [OUTPUT])
    given = stated.inputs or ((stated.input,) if stated.input else ())
    x = arrays.with_sides(x, inputs or [INPUT], [one.shape for one in given])
    logits = [name for name, one in stated.fetches.items() if one.kind == "logits"]
    first = stated.output.name if stated.output else ""

    def ask(given: Any) -> Any:
        answers = predict(export_folder, given)
        # In the order in which the model gives them, which the forms do not keep.
        return {name: answers[name] for name in outputs} if isinstance(answers, Mapping) else answers

    def main(given: np.ndarray) -> np.ndarray:
        answers = ask(given)
        return np.asarray(answers[first] if isinstance(answers, Mapping) else answers)

    labels = {name: one.labels for name, one in stated.fetches.items() if one.labels}
    result = evaluation.evaluate(ask, (x, y), labels or stated.labels, says_logits=logits, first=first)
    _save(result, export_folder, x)
    return MeasuredExport(
        digest, result.metrics, result.main, _corrections(told, main, result.output_kind), result.told
    )


def _parse(told: Mapping[str, object], *fields: str) -> Manifest:
    """The fields alone that are a machine's to say."""
    return Manifest.parse({field: told[field] for field in fields if field in told})


def _without_claims(told: Mapping[str, object]) -> dict[str, object]:
    """Of an output its name and its labels are a machine's to say, and that it is logits; all else is measured."""

    def named(output: Mapping[str, object]) -> dict[str, object]:
        kind = "logits" if output.get("kind") == "logits" else "values"
        return {
            "kind": kind,
            "shape": [],
            **{key: output[key] for key in ("name", "labels") if key in output},
        }

    kept = {key: value for key, value in told.items() if key not in ("output", "outputs")}
    output, outputs = told.get("output"), told.get("outputs")
    if isinstance(output, Mapping):
        kept["output"] = named(output)
    if isinstance(outputs, list):
        kept["outputs"] = [named(one) if isinstance(one, Mapping) else one for one in outputs]
    return kept


def load_back(export_folder: Path) -> None:
    """Ask the forms that serve the examples that came with them, as whoever serves them does.

    Raises
    ------
    ValueError
        One answers otherwise, or there is none.
    """
    with np.load(export_folder / "examples.npz", allow_pickle=False) as examples:
        x, y = (arrays.unpack(examples.files, examples.__getitem__, what) for what in ("x", "y"))
    asked = {SAVED_MODEL: run_saved_model, ONNX: run_onnx}
    for form, run in asked.items():
        if form == SAVED_MODEL or (export_folder / form).exists():
            try:
                forms.check_agreement(run(export_folder / form, x), y, TOLERANCE)
            except ValueError as error:
                raise ValueError(f"loaded back, {form} is not the model that was trained: {error}") from error


def _check_plain(plain: bool, path: str) -> None:
    if not plain:
        raise ValueError(f"{untrusted_folders.shown(path)} is no plain file")


def _save(result: Evaluated, export_folder: Path, x: Any) -> None:
    for name in MADE:
        (export_folder / name).unlink(missing_ok=True)
    shutil.rmtree(export_folder / published_evaluation.OUTPUTS, ignore_errors=True)
    result.save(export_folder, x)


def _corrections(told: Mapping[str, object], ask: Predict, kind: OutputKind) -> CorrectedPart | None:
    """The corrections that the recipe says it read, and how many of them this model recognises."""
    with contextlib.suppress(WorkbenchError, ValueError, OverflowError):
        stated = _parse(told, "input", "corrections", "parent")
        if stated.corrections is None or stated.input is None:
            return None
        if stated.parent is not None:
            parent.remember(f"{stated.parent.name}:{stated.parent.version}")
        datasets.corrections(stated.corrections.version)
        return describe_corrections(ask, stated.input, kind)
    return None
