"""A client of an application in this process."""

from typing import Any, cast

from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse


class Answer(TestResponse):
    """An answer as tests see it: they look into its JSON without asking first whether there is any."""

    json: Any


class Client(FlaskClient):
    """Asks an application without a server."""

    def __init__(self, app: Flask) -> None:
        super().__init__(app, app.response_class)

    def open(self, *asked: Any, **more: Any) -> Answer:
        return cast(Answer, super().open(*asked, **more))

    def get(self, *asked: Any, **more: Any) -> Answer:
        return self.open(*asked, method="GET", **more)

    def post(self, *asked: Any, **more: Any) -> Answer:
        return self.open(*asked, method="POST", **more)

    def put(self, *asked: Any, **more: Any) -> Answer:
        return self.open(*asked, method="PUT", **more)

    def options(self, *asked: Any, **more: Any) -> Answer:
        return self.open(*asked, method="OPTIONS", **more)
