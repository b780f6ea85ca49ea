"""What a visitor gave in a field, or what is said where that is nothing."""

from pathlib import Path, PurePosixPath

from workbench.errors import BadInput
from workbench.ui.file_button import FileButton


def filled(text: str, otherwise: str) -> str:
    """The text of a field; raises ``BadInput`` with ``otherwise`` where it is blank."""
    if not text.strip():
        raise BadInput(otherwise)
    return text.strip()


def keep(upload: FileButton, folder: Path, otherwise: str) -> Path:
    """Write the uploaded file into a new folder; raises ``BadInput`` with ``otherwise`` where there is none."""
    if not upload.value:
        raise BadInput(otherwise)
    file = upload.value[0]
    folder.mkdir()
    path = folder / (PurePosixPath(file["name"]).name or "file")
    path.write_bytes(bytes(file["content"]))
    return path
