"""The opinion that is kept with a correction: what the version that answers makes of the drawing."""

from backend.corrections.values import Opinion
from backend.deployments.store import Deployments
from backend.http.logs import log
from backend.predict.doubt import find_doubt
from workbench.pictures.inputs import prepare, read_ink


def ask(deployments: Deployments, drawing: bytes) -> Opinion:
    """Ask the version that answers this drawing, an encoded picture, where no model is named.

    A model that cannot be asked now has no opinion; the drawing is worth keeping all the same.

    Raises
    ------
    PictureError
        It is no picture.
    """
    deployment = deployments.answering(drawing)
    if deployment is None:
        return Opinion()
    silent = Opinion(deployment.name, deployment.version)
    x, seen = prepare(drawing, deployment.manifest)
    if x is None or seen is None:
        return silent
    try:
        scores = deployment.classify(x)[0]
        doubt = find_doubt(seen, deployment, lambda: read_ink(drawing))
    except Exception as error:  # a model server may be away; what it is, its own routes say
        log.warning("no opinion", exc_info=error)
        return silent
    said = tuple(float(p) for p in scores) if scores.min() >= 0 and scores.max() <= 1 else None
    return Opinion(deployment.name, deployment.version, said, doubt.kind if doubt else None)
