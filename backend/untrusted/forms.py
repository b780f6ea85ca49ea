"""The forms that models come in: those that are served, and words for those that are not."""

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from workbench.errors import ModelRefused

ZIP, HDF5, GZIP = b"PK\x03\x04", b"\x89HDF\r\n\x1a\n", b"\x1f\x8b"
_ONNX = b"\x08"
"""The field ir_version, with which every ONNX file begins."""
_SAVED_MODEL = b"\x08\x01\x12"

TEACHABLE = (
    "a Keras model in HDF5 ({name}), as Teachable Machine exports it; HDF5 is not taken: there choose Tensorflow, "
    "Savedmodel, or load it with Keras and save it as .keras"
)
_FILES = {
    HDF5: "a Keras model in HDF5 (.h5); it is not taken: load it with Keras and save it as .keras, or export a SavedModel",
    GZIP: "a gzip'd file (.tar.gz, .tgz, .gz); make a zip of what is in it",
    b"BZh": "a bzip2 archive (.tar.bz2); make a zip of what is in it",
    b"\xfd7zXZ": "an xz archive (.tar.xz); make a zip of what is in it",
    b"7z\xbc\xaf": "a 7z archive; make a zip of what is in it",
    b"Rar!": "a RAR archive; make a zip of what is in it",
    b"PK\x05\x06": "an empty zip",
    b"\x80": "a pickle, as torch.save writes it (.pt, .pth, .pkl); it is not taken, since loading it runs it: export ONNX",
    _SAVED_MODEL: "the file saved_model.pb of a SavedModel alone; zip the whole folder, with variables in it",
    b"<": "a web page, not a model; a link to a page that shows a file is not a link to the file",
    b"{": "JSON, as TensorFlow.js keeps a model in (model.json); it is not taken: send the SavedModel, .keras or ONNX file",
}
"""Words by first bytes."""
_LITERT = (
    "a LiteRT model (.tflite); it is not taken: send the SavedModel, .keras or ONNX file that it was made of"
)
_IN_ZIPS = {
    ".h5": _FILES[HDF5].replace(".h5", "{name}"),
    ".hdf5": _FILES[HDF5].replace(".h5", "{name}"),
    ".tflite": _LITERT.replace(".tflite", "{name}"),
    "model.json": "a TensorFlow.js model ({name}); it is not taken: export a SavedModel, .keras or ONNX file instead",
    "data.pkl": "a PyTorch file ({name}); it is not taken, since loading it runs it: export ONNX with torch.onnx.export",
    ".pt": "a PyTorch file ({name}); it is not taken, since loading it runs it: export ONNX with torch.onnx.export",
    ".pth": "a PyTorch file ({name}); it is not taken, since loading it runs it: export ONNX with torch.onnx.export",
    ".safetensors": "weights without their model ({name}); export ONNX, or save as .keras or SavedModel",
    ".pb": "a frozen graph ({name}), as TensorFlow 1 had them; export a SavedModel",
    ".zip": "another zip ({name}); send that one",
    ".gz": "an archive ({name}); put what is in it into the zip",
}
"""Words by how names end, the most telling first."""


def check_file(file: Path) -> str:
    """Tell ``zip`` or ``onnx``.

    Raises
    ------
    ModelRefused
        It is another file, named for what it is.
    """
    with file.open("rb") as opened:
        head = opened.read(512)
    if head.startswith(ZIP):
        return "zip"
    said = next((words for first, words in _FILES.items() if head.startswith(first)), "")
    if head[4:8] == b"TFL3":
        said = _LITERT
    elif head[257:262] == b"ustar":
        said = "a tar archive (.tar); make a zip of what is in it"
    elif head[8:10] == b'{"':
        said = _IN_ZIPS[".safetensors"].format(name=".safetensors")
    if said:
        raise ModelRefused(f"the file is {said}")
    if not head.startswith(_ONNX):
        raise ModelRefused(
            "a model is a zip (an artifact of the workbench, or a SavedModel), a .keras or an ONNX file. "
            f"Received a file that begins with {head[:4]!r}"
        )
    return "onnx"


def no_model(names: Iterable[str]) -> ModelRefused:
    """Say what a zip without a model holds instead."""
    names = sorted(names, key=lambda name: (name.count("/"), name))
    for ending, words in _IN_ZIPS.items():
        for name in names:
            last = PurePosixPath(name).name.lower()
            if last == ending or (ending.startswith(".") and last.endswith(ending)):
                is_teachable = last == "keras_model.h5"
                return ModelRefused(
                    f"the zip holds {(TEACHABLE if is_teachable else words).format(name=name[:80])}"
                )
    return ModelRefused(
        "the zip holds no model: neither a saved_model.pb, nor a .keras, nor an .onnx file, at any depth"
    )


MAX_LABELS, MAX_LABELS_BYTES = 10_000, 1024 * 1024


def read_labels(file: Path) -> tuple[str, ...]:
    """Read the labels in a ``labels.txt``, one a line; where every line begins with its number, without that.

    Raises
    ------
    ModelRefused
        It is no text, or too long.
    """
    if file.stat().st_size > MAX_LABELS_BYTES:
        raise ModelRefused(f"labels.txt has more than {MAX_LABELS_BYTES:,} bytes")
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ModelRefused(f"labels.txt is no UTF-8: {error}") from error
    lines = [line.strip() for line in text.splitlines()]
    while lines and not lines[-1]:
        lines.pop()
    if len(lines) > MAX_LABELS:
        raise ModelRefused(f"labels.txt has {len(lines):,} lines, more than {MAX_LABELS:,}")
    parts = [line.replace(":", " ", 1).split(maxsplit=1) for line in lines]
    if lines and all(len(part) == 2 and part[0] == str(n) for n, part in enumerate(parts)):
        lines = [part[1].strip() for part in parts]  # as Teachable Machine numbers them
    return tuple(line[:200] for line in lines)
