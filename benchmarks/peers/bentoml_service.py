"""BentoML: ``MODEL=MODEL.onnx bentoml serve bentoml_service:Digits``; two workers, as its page about workers says."""

import os

import bentoml
from reading import open_model, read


@bentoml.service(workers=2, resources={"cpu": "2"})
class Digits:
    def __init__(self) -> None:
        self.answer = open_model(os.environ["MODEL"])

    @bentoml.api(route="/predict/")
    def predict(self, image: str) -> str:
        return self.answer(read(image))
