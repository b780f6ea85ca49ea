"""Compile ``backend/tfserving/protos/*.proto`` to the ``_pb2`` modules beside them; ``make protos`` runs it.

``python tools/compile_protos.py [FOLDER]`` writes them under another folder than the project.

The compiler registers messages in protobuf's default pool, where TensorFlow's of the same names may be: the one change
made to what it writes is that they go to the pool of ``backend.tfserving.protos``.
"""

import sys
from pathlib import Path

from grpc_tools import protoc

PROJECT = Path(__file__).parent.parent
FOLDER = Path("backend/tfserving/protos")
DEFAULT_POOL = (
    (
        "from google.protobuf import descriptor_pool as _descriptor_pool\n",
        "from backend.tfserving.protos import POOL as _POOL\n",
    ),
    ("_descriptor_pool.Default()", "_POOL"),
)


def compile_protos(out: Path) -> None:
    """Write the modules and their types under ``out``, in the folders of their packages."""
    sources = [str(path) for path in sorted((PROJECT / FOLDER).glob("*.proto"))]
    included = str(Path(protoc.__file__).parent / "_proto")
    told = ["protoc", f"-I{PROJECT}", f"-I{included}", f"--python_out={out}", f"--pyi_out={out}", *sources]
    if protoc.main(told) != 0:
        raise SystemExit("the .proto files cannot be compiled; protoc says why")
    for module in sorted((out / FOLDER).glob("*_pb2.py")):
        text = module.read_text()
        for theirs, ours in DEFAULT_POOL:
            if text.count(theirs) != 1:
                raise SystemExit(f"protoc writes another form now: {theirs!r} is not in {module} once")
            text = text.replace(theirs, ours)
        module.write_text(text)


if __name__ == "__main__":
    compile_protos(Path(sys.argv[1]) if len(sys.argv) > 1 else PROJECT)
