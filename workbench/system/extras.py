"""The parts of the workbench that an installation may do without, by the packages they bring."""

from importlib.util import find_spec

PACKAGES = {
    "backend": ("flask", "gunicorn", "cv2", "onnxruntime", "PIL"),
    "dashboard": ("jupyter_server", "voila", "anywidget", "ipywidgets"),
    "train": ("tensorflow", "keras", "onnx", "tf2onnx", "imageio", "numpy"),
    "data": ("google_crc32c", "pyarrow"),
    "aws": ("boto3", "botocore"),
    "sweep": ("optuna",),
}
"""Extra → packages by which it is known; of a package that several bring the first is named."""
_PROOF = {
    "backend": "gunicorn",
    "dashboard": "voila",
    "train": "tensorflow",
    "data": "pyarrow",
    "aws": "boto3",
    "sweep": "optuna",
}


def is_installed(extra: str) -> bool:
    """Tell whether this installation has the extra, without importing any of it."""
    return find_spec(_PROOF[extra]) is not None


def install(extra: str) -> str:
    """Say how to get an extra.

    >>> install("train")
    "pip install 'workbench[train]' (from the same file as the workbench itself)"
    """
    return f"pip install 'workbench[{extra}]' (from the same file as the workbench itself)"


def bringing(module: str) -> str | None:
    """The extra that brings a module; ``None`` for one that is not of ours.

    >>> bringing("tensorflow.python"), bringing("nothing_of_ours")
    ('train', None)
    """
    package = module.partition(".")[0]
    return next((extra for extra, packages in PACKAGES.items() if package in packages), None)
