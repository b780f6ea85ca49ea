"""The manifest of a model version, ``manifest.json``: parsed and checked once, written by one function.

``version`` is the value, ``signature`` what goes in and comes out, ``columns`` what a row
of a table is made of, ``files`` the file itself and its list of files. The
registry, the back end and the pages all read it, so this package needs the standard library alone.
"""

from workbench.manifest.columns import InputColumn
from workbench.manifest.files import FILE, FORMAT, File, list_files, read_files, write_listing
from workbench.manifest.signature import Input, ModelOutput, OutputKind
from workbench.manifest.version import Manifest, Preprocessing, Training, read, write

__all__ = [
    "FILE",
    "FORMAT",
    "File",
    "Input",
    "InputColumn",
    "Manifest",
    "ModelOutput",
    "OutputKind",
    "Preprocessing",
    "Training",
    "list_files",
    "read",
    "read_files",
    "write",
    "write_listing",
]
