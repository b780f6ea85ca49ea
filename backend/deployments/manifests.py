"""Check a version's manifest, so that no request can fail for it later."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from backend.deployments.engines import EXAMPLES
from workbench import manifest as manifests
from workbench import scores
from workbench.errors import BadInput, ModelRefused
from workbench.manifest import Manifest, ModelOutput


def check_number(name: str, version: object) -> int:
    """Give the version's number, which is a whole one from 1."""
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version < 1_000_000_000:
        raise BadInput(f"a version of {name} is a whole number from 1. Received: {version!r}")
    return version


def check_manifest(manifest: Manifest) -> None:
    """Refuse what would only fail at the first request."""
    if manifest.inputs:
        return
    shape = manifest.takes.shape
    if manifest.preprocessing == "mnist" and shape != (28, 28, 1):
        raise ModelRefused(f"preprocessing mnist gives pictures (28, 28, 1), the model takes {shape}")


def read_whole(folder: Path) -> Manifest:
    """Read a version's manifest, and complete it: it always says what a classifier's outputs are."""
    return complete(manifests.read(folder), folder)


def complete(manifest: Manifest, folder: Path) -> Manifest:
    """Say what the outputs are, by the answers to a version's own examples, where its manifest does not.

    Older manifests call everything ``values`` that is no row of probabilities: logits, and a single output too.
    """
    told = manifest.output
    if manifest.outputs:
        return manifest
    if told is not None and (told.kind != "values" or manifest.accuracy is None):
        return manifest
    try:
        with np.load(folder / EXAMPLES, allow_pickle=False) as archive:
            answers = archive["y"]
    except (OSError, ValueError, KeyError):  # said by whoever checks the version
        return manifest
    if answers.ndim != 2 or answers.dtype.kind not in "fiub":
        return manifest
    is_classifier = manifest.accuracy is not None or manifest.labels
    kind = scores.measure(answers.astype(np.float32)) if is_classifier else "values"
    return replace(manifest, output=ModelOutput(kind, answers.shape[1:]))


def refuse_worse(new: Manifest, new_folder: Path, active: Manifest, active_folder: Path) -> None:
    """Refuse a retraining that is worse on the held-out part than the version it would replace.

    A retraining is a version that was trained with corrections. Both must have been evaluated on the same held-out
    part, which their examples, its first pictures, tell; worse is any lower accuracy there.
    """
    if not new.corrections or not _same_examples(new_folder, active_folder):
        return
    now, before = new.accuracy, active.accuracy
    if now is not None and before is not None and now < before:
        raise ModelRefused(
            f"{new} was trained with corrections and is worse on the held-out part: "
            f"{now:.4f} instead of {before:.4f} of version {active.version}, which goes on serving; "
            "to deploy it all the same: --anyway"
        )


def _same_examples(one: Path, other: Path) -> bool:
    try:
        with (
            np.load(one / EXAMPLES, allow_pickle=False) as a,
            np.load(other / EXAMPLES, allow_pickle=False) as b,
        ):
            return bool(np.array_equal(a["x"], b["x"]))
    except (OSError, ValueError, KeyError):
        return False
