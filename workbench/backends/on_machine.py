"""The far end of ``backends.aws``, on the back end's machine: ``python -m workbench.backends.on_machine '{"do": …}'``.

Prints one line of JSON: what the back end says, or what went wrong.
"""

import json
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from workbench import artifact
from workbench.aws.bucket import Bucket
from workbench.aws.session import Session
from workbench.backends.base import BackEnd
from workbench.backends.how import How
from workbench.backends.http import HttpBackEnd
from workbench.backends.values import Source
from workbench.errors import BadInput, WorkbenchError
from workbench.manifest import read
from workbench.models.registry import Version
from workbench.settings import CODE, from_environment

Asked = Mapping[str, Any]
"""JSON as it came; each verb reads its own."""


class FarEnd:
    """Does what is asked with the back end of this machine; gives JSON.

    Parameters
    ----------
    fetch
        Writes what has a key in the bucket to a file.
    put
        Stores a file under a key.
    """

    def __init__(
        self,
        backend: BackEnd,
        fetch: Callable[[str, Path], None],
        put: Callable[[str, Path], None],
        aside: Path,
    ) -> None:
        self._backend, self._fetch, self._put, self._aside = backend, fetch, put, aside
        self._verbs: dict[str, Callable[[Asked], object]] = {
            "models": lambda _: _all(backend.models()),
            "deploy": self._deploy,
            "rollback": lambda a: backend.rollback(a["name"], who=a["who"], reason=a["reason"]).as_json(),
            "history": lambda a: _all(backend.history(a["name"])),
            "compare": lambda a: backend.compare(a["name"], _pair(a["versions"])).as_json(),
            "link": lambda a: backend.link(self._version(a), expires_s=a["expires_s"]),
            "predict": lambda a: backend.predict(self._file(a, "picture").read_bytes()).as_json(),
            "serve": self._serve,
            "corrections": lambda a: backend.corrections(
                a["state"], most=a["most"], pictures=a["pictures"]
            ).as_json(),
            "counts": lambda _: backend.counts().as_json(),
            "review": self._review,
            "export": self._export,
        }

    def do(self, asked: Asked) -> object:
        """Do it; raises ``BadInput`` for a verb that is not known here."""
        verb = self._verbs.get(str(asked["do"]))
        if verb is None:
            raise BadInput(f"this machine's back end is of another version and knows no {asked['do']!r}")
        return verb(asked)

    def _deploy(self, asked: Asked) -> object:
        told = {key: asked[key] for key in ("reason", "who", "canary", "anyway")}
        return self._backend.deploy(self._version(asked), **told).as_json()

    def _version(self, asked: Asked) -> Version:
        archive, folder = self._aside / "version.zip", self._aside / "version"
        self._fetch(asked["key"], archive)
        artifact.unpack(archive, folder)
        return Version(asked["name"], asked["version"], folder, read(folder))

    def _serve(self, asked: Asked) -> object:
        given: dict[str, Source] = dict(asked["urls"])
        for name in asked["keys"]:
            path = self._file(asked, name)
            with path.open("rb") as file:
                drawn = file.read(5) == b"data:"
            given[name] = path.read_text() if drawn else path
        return self._backend.serve(
            given["image"],
            model=given.get("model"),
            model_name=asked["model_name"],
            how=How.from_json(asked["how"]),
        ).as_json()

    def _review(self, asked: Asked) -> object:
        ids = json.loads(self._file(asked, "ids").read_text())
        return _all(self._backend.review(ids, asked["verdict"]))

    def _export(self, asked: Asked) -> object:
        self._put(asked["key"], self._backend.export(self._aside / "corrections.zip"))
        return {}

    def _file(self, asked: Asked, name: str) -> Path:
        key = str(asked["keys"][name])
        path = self._aside / name / Path(key).name
        self._fetch(key, path)
        return path


def main(asked: Asked) -> object:
    """Do what is asked with the back end of this machine; its answer as JSON."""
    settings = from_environment()
    bucket = Bucket(Session.open(settings))
    bucket.name = asked["bucket"]
    backend = HttpBackEnd(settings.backend_service, settings.deploy_token)
    with tempfile.TemporaryDirectory() as aside:
        return FarEnd(backend, bucket.download, bucket.put, Path(aside)).do(asked)


def _all(values: Sequence[Any]) -> list[object]:
    return [value.as_json() for value in values]


def _pair(versions: Sequence[int] | None) -> tuple[int, int] | None:
    return None if versions is None else (versions[0], versions[1])


def read_environment(path: Path) -> dict[str, str]:
    """The machine's settings, as its first boot wrote them."""
    lines = path.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


if __name__ == "__main__":
    os.environ |= read_environment(CODE.parent / "environment")
    try:
        answer: dict[str, object] = {"said": main(json.loads(sys.argv[1]))}
    except WorkbenchError as error:
        kinds = [kind.__name__ for kind in type(error).__mro__ if kind.__module__ == "workbench.errors"]
        answer = {"failed": {"kind": kinds[0], "message": str(error)}}
    print(json.dumps(answer))
