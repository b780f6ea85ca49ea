"""LitServe: ``litserve_app.py MODEL.onnx PORT``; two workers, and ZeroMQ between them and the HTTP processes.

Its documentation says so for many small requests: ``workers_per_device`` as many as there are cores, ``fast_queue`` for
more than 100 requests a second, as many HTTP processes as workers, which is the default.
"""

import sys

import litserve
import numpy as np
from numpy.typing import NDArray
from reading import open_model, read


class Digits(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.answer = open_model(sys.argv[1])

    def decode_request(self, request: dict[str, str]) -> NDArray[np.float32]:
        return read(request["image"])

    def predict(self, x: NDArray[np.float32]) -> str:
        return self.answer(x)

    def encode_response(self, output: str) -> dict[str, str]:
        return {"digit": output}


if __name__ == "__main__":
    api = Digits(api_path="/predict/")
    server = litserve.LitServer(api, accelerator="cpu", workers_per_device=2, fast_queue=True)
    server.run(host="127.0.0.1", port=int(sys.argv[2]), generate_client_file=False)
