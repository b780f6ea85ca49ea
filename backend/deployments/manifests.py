"""What a version's manifest must say so that no request can fail for it later."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from backend.deployments.engines import EXAMPLES
from workbench.errors import BadInput, ModelRefused


def check_number(name: str, version: int) -> None:
    if isinstance(version, bool) or not isinstance(version, int) or not 0 < version < 1_000_000_000:
        raise BadInput(f"a version of {name} is a whole number from 1. Received: {version!r}")


def check_manifest(manifest: dict[str, Any]) -> None:
    """Refuse what would only fail at the first request."""
    wanted, labels = manifest.get("input"), manifest.get("labels")
    shape = wanted.get("shape") if isinstance(wanted, dict) else None
    if not isinstance(shape, list) or not all(isinstance(side, int) and side > 0 for side in shape):
        raise ModelRefused(f"the manifest's input must have a shape of whole numbers. Received: {wanted!r}")
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ModelRefused(f"the manifest's labels must be a list of texts. Received: {labels!r}")
    limits = (wanted or {}).get("range") or [0, 255]
    if not isinstance(limits, list) or [type(limit) in (int, float) for limit in limits] != [True, True]:
        raise ModelRefused(f"the manifest's input range must be two numbers. Received: {limits!r}")
    preprocessing = manifest.get("preprocessing")
    if preprocessing not in ("mnist", "resize", "none"):
        raise ModelRefused(
            f"the manifest's preprocessing must be mnist, resize or none. Received: {preprocessing!r}"
        )
    if preprocessing == "mnist" and shape != [28, 28, 1]:
        raise ModelRefused(f"preprocessing mnist gives pictures (28, 28, 1), the model takes {shape}")


def refuse_worse(
    new: Mapping[str, Any], new_folder: Path, active: Mapping[str, Any], active_folder: Path
) -> None:
    """Refuse a retraining that is worse on the held-out part than the version it would replace.

    A retraining is a version that was trained with corrections. Both must have been evaluated on the same held-out
    part, which their examples, its first pictures, tell; worse is any lower accuracy there.
    """
    if not new.get("corrections") or not _same_examples(new_folder, active_folder):
        return
    now, before = (m.get("metrics", {}).get("accuracy") for m in (new, active))
    if isinstance(now, int | float) and isinstance(before, int | float) and now < before:
        raise ModelRefused(
            f"{new['name']}:{new['version']} was trained with corrections and is worse on the held-out part: "
            f"{now:.4f} instead of {before:.4f} of version {active['version']}, which goes on serving; "
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
