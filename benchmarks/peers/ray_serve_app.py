"""Ray Serve: ``ray_serve_app.py MODEL.onnx PORT FOLDER``; two replicas behind its proxy, which gets the body as it is."""

import signal
import sys

import ray
from ray import serve
from reading import open_model, read
from starlette.requests import Request


@serve.deployment(num_replicas=2, max_ongoing_requests=16)
class Digits:
    def __init__(self, model: str) -> None:
        self.answer = open_model(model)

    async def __call__(self, request: Request) -> str:
        return self.answer(read(await request.body()))


if __name__ == "__main__":
    model, port, folder = sys.argv[1:]
    ray.init(num_cpus=2, include_dashboard=False, _node_ip_address="127.0.0.1", _temp_dir=folder)
    serve.start(http_options={"host": "127.0.0.1", "port": int(port)})
    serve.run(Digits.bind(model), route_prefix="/predict")  # type: ignore[attr-defined]  # the decorator's
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    ray.shutdown()
