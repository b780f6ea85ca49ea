"""Python imports this at its start, where ``replies.environ`` has put the folder on its path: AWS's answers are written down.

boto3 is not imported before the program does it: its sessions are replaced when that happens.
"""

import importlib.abc
import importlib.util
import json
import os
import sys
import time
from pathlib import Path
from typing import Any


class _WhenImported(importlib.abc.MetaPathFinder):
    """Lets ``boto3.session`` be imported, and has its clients write down what they are answered."""

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name != "boto3.session":
            return None
        sys.meta_path.remove(self)
        spec: Any = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module: Any) -> None:
            run(module)
            _record(module)

        spec.loader.exec_module = exec_module
        return spec


def _record(module: Any) -> None:
    class Recorded(module.Session):  # type: ignore[misc]
        """A session whose clients write down what they are answered."""

        def client(self, *args: Any, **more: Any) -> Any:
            made = super().client(*args, **more)
            made.meta.events.register("after-call", _write)
            return made

    module.Session = Recorded


def _write(parsed: Any, model: Any, **_: object) -> None:
    if not isinstance(parsed, dict):
        return
    line = json.dumps(
        {
            "service": model.service_model.service_name,
            "operation": model.name,
            "status": parsed.get("ResponseMetadata", {}).get("HTTPStatusCode"),
            "answer": {
                key: value for key, value in parsed.items() if key not in ("ResponseMetadata", "Body")
            },
        },
        default=lambda value: value.isoformat() if hasattr(value, "isoformat") else repr(value),
    )
    path = Path(os.environ["REHEARSAL_REPLIES"], f"{os.getpid()}-{time.time_ns()}.jsonl")
    path.touch(mode=0o600)
    path.write_text(line + "\n")


if os.environ.get("REHEARSAL_REPLIES"):
    sys.meta_path.insert(0, _WhenImported())
