"""The accepted drawings as a data set: one zip, the same for the same drawings."""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable

import numpy as np

from backend.corrections.values import Correction

_NOT_TOLD = ("state", "probabilities", "doubt")


def pack(accepted: Iterable[Correction]) -> bytes:
    """Zip them: ``corrections.npz`` and ``manifest.json``; the same ones give the same bytes.

    The arrays are ``x`` ``(n, 28, 28)`` uint8, ``y`` ``(n,)`` int64 and ``predicted`` ``(n,)`` int64, -1 where
    nothing was predicted; the manifest's ``corrections`` tell of each, in this order, its kind and writer too.
    """
    kept = sorted(accepted, key=lambda c: c.id)
    x = np.frombuffer(b"".join(c.seen for c in kept), np.uint8).reshape(-1, 28, 28)
    arrays = io.BytesIO()
    np.savez_compressed(
        arrays,
        x=x,
        y=np.array([c.digit for c in kept], np.int64),
        predicted=np.array([-1 if c.predicted is None else c.predicted for c in kept], np.int64),
    )
    data = arrays.getvalue()
    manifest = {
        "format": 1,
        "count": len(kept),
        "files": {
            "corrections.npz": {"sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)},
        },
        "corrections": [{k: v for k, v in c.describe().items() if k not in _NOT_TOLD} for c in kept],
    }
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        for name, content in (
            ("corrections.npz", data),
            ("manifest.json", json.dumps(manifest, indent=1).encode()),
        ):
            archive.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content)
    return zipped.getvalue()
