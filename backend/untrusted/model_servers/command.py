"""What a model server is started with: its command, its environment, and what it is shown of the files here."""

import os
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import backend
from backend.tfserving import client
from backend.tfserving.channel import NAME
from backend.untrusted.confined import Spec
from backend.untrusted.model_files import ModelFile


def fill(spec: Spec, file: ModelFile, name: str, binary: str | None, uids: range) -> Spec:
    """What a server of this model is started with, in these limits.

    Parameters
    ----------
    name
        ``embedded``, or the kind of server whose ``binary`` is given.
    uids
        Of the users who run models; which one is told by the model's sum.
    """
    code = Path(backend.__file__).parent
    project = code.parent
    path = [
        entry
        for entry in map(os.path.realpath, sys.path)
        if Path(entry).is_dir() and Path(entry).name in ("site-packages", "dist-packages")
    ]
    python = os.path.realpath(sys.executable)
    shown = [os.path.realpath(sys.base_prefix), *path, str(code), str(project / "workbench")]
    if name == "embedded":
        command = [python, "-m", "backend.tfserving.server", "--form", file.form, "--name", NAME]
        command += ["--model", f"{{model}}/{file.path}", "--fd", "{fd}"]
        if client.has_grpc():
            command += ["--grpc-port", "{grpc_port}"]
    else:
        program = os.path.realpath(str(binary))
        shown.append(program)
        command = [program, "--port={grpc_port}", "--rest_api_port={port}", f"--model_name={NAME}"]
        command += ["--model_base_path={model}/served", "--file_system_poll_wait_seconds=0"]
    environment = {
        "PATH": "/usr/bin:/bin",
        "HOME": "/tmp",  # noqa: S108 - its own, or nothing is written there
        "TMPDIR": "/tmp",  # noqa: S108
        "LANG": "C.UTF-8",
        "PYTHONPATH": os.pathsep.join([str(project), *path]),
        "PYTHONDONTWRITEBYTECODE": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "GRPC_VERBOSITY": "NONE",  # the log's last line is the reason why a server ended
        "OMP_NUM_THREADS": "1",
        "OPENBLAS_NUM_THREADS": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    return replace(
        spec,
        command=command,
        environment=environment,
        folder=str(file.folder),
        shown=shown,
        uid=uids[zlib.crc32(file.sha256.encode()) % len(uids)],
    )
