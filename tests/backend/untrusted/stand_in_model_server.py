"""Stands in for ``tensorflow_model_server``, which no package registry has: its flags, with the embedded server behind,
which speaks REST on the one port and gRPC on the other.

It is written to an executable file with this Python in its first line; the real one is used where it is installed.
"""

import sys
from pathlib import Path

SCRIPT = """#!{python}
import os, sys
flags = dict(part.removeprefix("--").split("=", 1) for part in sys.argv[1:])
unknown = flags.keys() - {{"port", "rest_api_port", "model_name", "model_base_path", "file_system_poll_wait_seconds"}}
if unknown:
    sys.exit(f"unknown argument: {{unknown}}")
base = flags["model_base_path"]
version = max((v for v in os.listdir(base) if v.isdigit()), key=int)
os.execv(sys.executable, [sys.executable, "-m", "backend.tfserving.server", "--form", "saved_model",
         "--model", f"{{base}}/{{version}}", "--name", flags["model_name"], "--port", flags["rest_api_port"],
         "--grpc-port", flags["port"]])
"""


def write(path: Path) -> Path:
    """An executable that behaves so."""
    path.write_text(SCRIPT.format(python=Path(sys.executable).resolve()))
    path.chmod(0o755)
    return path
