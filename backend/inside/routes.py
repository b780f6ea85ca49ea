"""``GET /inside`` names the layers of the serving version, ``POST /inside`` shows what each makes of a drawing.

While the first model trains, ``GET /inside?film=STEP`` gives its film of learning."""

import threading
from pathlib import Path

from flask import Flask, Response, request

from backend.deployments.store import Deployments
from backend.deployments.values import Deployment
from backend.http.auth import visitor
from backend.http.bodies import json_answer
from backend.inside.learning import Learning
from backend.inside.looking import Inside, NotSeenInside
from backend.inside.place import Place, Visitors
from backend.predict.answer import Drawings
from backend.predict.route import read_drawing
from workbench.errors import BadInput, WorkbenchError

KEPT = 2
"""Versions that are ready to be looked into, at most."""


class Looks:
    """The versions that are ready to be looked into, and those that cannot be, with the reason."""

    def __init__(self, deployments: Deployments) -> None:
        self._deployments = deployments
        self._lock = threading.Lock()
        self._ready: dict[tuple[str, int], Inside | NotSeenInside] = {}

    def into(self, deployment: Deployment) -> Inside:
        """Make a version ready, at first use.

        Raises
        ------
        NotSeenInside
        """
        key = (deployment.name, deployment.version)
        with self._lock:
            found = self._ready.pop(key, None)
            if found is None:
                found = self._open(deployment)
            self._ready[key] = found
            while len(self._ready) > KEPT:
                self._ready.pop(next(iter(self._ready)))
        if isinstance(found, NotSeenInside):
            raise NotSeenInside(str(found))
        return found

    def _open(self, deployment: Deployment) -> Inside | NotSeenInside:
        folder = self._deployments.folder_of(deployment.name, deployment.version)
        try:
            return Inside(deployment, folder)
        except NotSeenInside as error:
            return error
        except BadInput as error:
            return NotSeenInside(str(error))
        except WorkbenchError:
            raise
        except Exception as error:  # a model of somebody else's that is made in a way not known here
            return NotSeenInside(f"{deployment.manifest} cannot be taken apart: {str(error)[:200]}")


def add_routes(app: Flask, drawings: Drawings, deployments: Deployments, folder: Path) -> None:
    """Add ``/inside``; ``folder`` is the back end's."""
    looks, place, visitors = Looks(deployments), Place(), Visitors()
    learning = Learning(folder)

    @app.get("/inside")
    def name_layers() -> Response:
        visitors.admit(visitor())
        if (after := request.args.get("film")) is not None:
            return json_answer(learning.tell(_step(after)))
        deployment = drawings.choose(request.args.get("model"))
        return json_answer(place.run(lambda: looks.into(deployment).describe()))

    @app.post("/inside")
    def look_inside() -> Response:
        visitors.admit(visitor())
        drawing = read_drawing()
        deployment = drawings.choose(drawing.model)
        picture = drawing.picture
        return json_answer(place.run(lambda: looks.into(deployment).look(picture)))


def _step(text: str) -> int:
    try:
        return int(text)
    except ValueError as error:
        raise BadInput(f"film: the step after which frames are wanted, or -1. Received: {text!r}") from error
