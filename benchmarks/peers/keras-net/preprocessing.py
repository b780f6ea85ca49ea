from typing import Any

from workbench import datasets


def load_data() -> Any:
    """Training part and test part, each pictures (n, 28, 28, 1) and labels (n,)."""
    return tuple((x[..., None], y) for x, y in datasets.load("mnist"))
