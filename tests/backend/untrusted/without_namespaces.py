"""Asks a model where namespaces are refused, as some containers refuse them: ``… MODEL HOME SIGNATURE TEXT``.

Prints as JSON what is kept from the model, the class that it gives a picture, and what it said to the text, or why not.
"""

import json
import logging
import shutil
import sys
from pathlib import Path

import numpy as np

from backend.untrusted.model_files import ModelFiles
from backend.untrusted.model_servers import ModelServers
from workbench.errors import ModelRefused
from workbench.system.sandbox import seccomp


def main(model: str, home: str, signature: str, text: str) -> None:
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    seccomp.install([seccomp.Refuse("unshare")])
    files = ModelFiles(Path(home))
    # Not as another user: that one might not reach this Python, which cannot be shown to it without namespaces.
    servers = ModelServers(files, predict_s=4.0, idle_s=60, uids=range(1))
    try:
        with files.receiving() as aside:
            shutil.copy(model, aside)
            file = files.keep(aside)
        server = servers.open(file)
        told = {"protection": servers.protection(file), "grpc": server.fast is not None}
        told["shape"] = server.predict({"image": np.zeros((1, 28, 28, 1), np.float32)})["scores"].shape
        try:
            told["said"] = str(server.predict({"text": np.array([text], object)}, signature))
        except ModelRefused as error:
            told["refused"] = str(error)
        print(json.dumps(told))
    finally:
        servers.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
