"""kserve: ``kserve_model.py --http_port=PORT --workers=2 --enable_grpc=false --model=MODEL.onnx``, its v1 protocol.

It listens on all interfaces and has no setting for that, so uvicorn's own is given another default here. It ends workers
that are not imported within 5 s, again and again on a busy machine, so it is given more patience.
"""

import argparse
import functools
from collections.abc import Callable
from typing import Any

import kserve
import numpy as np
import uvicorn
from kserve.protocol.rest.multiprocess.server import RESTServerProcess
from numpy.typing import NDArray
from reading import open_model, read


class Digits(kserve.Model):
    def __init__(self, path: str) -> None:
        super().__init__("digits")
        self.path = path
        self.ready = True

    @functools.cached_property
    def answer(self) -> Callable[[NDArray[np.float32]], str]:
        return open_model(
            self.path
        )  # in the worker: a model is sent there as a pickle, and a session makes none

    async def predict(
        self, payload: dict[str, list[str]], headers: object = None, response_headers: object = None
    ) -> dict[str, list[str]]:
        return {"predictions": [self.answer(read(image)) for image in payload["instances"]]}


class OnLoopback(uvicorn.Config):
    def __init__(self, *arguments: Any, **settings: Any) -> None:
        super().__init__(*arguments, **{**settings, "host": "127.0.0.1"})


if __name__ == "__main__":
    parser = argparse.ArgumentParser(parents=[kserve.model_server.parser], conflict_handler="resolve")
    parser.add_argument("--model", required=True)
    uvicorn.Config = OnLoopback
    RESTServerProcess.is_alive.__defaults__ = (60.0,)
    kserve.ModelServer().start([Digits(parser.parse_known_args()[0].model)])
