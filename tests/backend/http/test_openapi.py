"""The description that the back end serves: complete, and nothing that it allows brings a server error."""

import re
from collections.abc import Collection, Iterator
from typing import Any

import hypothesis
import pytest
from flask import Flask

from backend.app import create_app
from backend.http.openapi import describe
from tests.backend import making
from tests.backend.client import Client
from tests.backend.real_server import BEARER
from workbench.settings import from_environment


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flask]:
    """A back end with one version active and another one pushed."""
    home = tmp_path_factory.mktemp("described")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORKBENCH_DEPLOY_TOKEN", making.TOKEN)
        app = create_app(from_environment({"WORKBENCH_HOME": str(home / "home")}))
        client = Client(app)
        for number in (1, 2):
            body = making.zipped(making.version(home / str(number), number), home / f"{number}.zip")
            client.put(f"/models/mnist-cnn/versions/{number}", data=body, headers=BEARER)
            client.post("/models/mnist-cnn:activate", json={"version": number}, headers=BEARER)
        yield app
        app.extensions["model_servers"].close()


def test_every_route_is_described_and_every_described_one_exists(app: Flask) -> None:
    routes = {
        (method.lower(), re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule.rule))
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    paths = describe()["paths"]
    assert isinstance(paths, dict)
    described = {(method, path) for path, methods in paths.items() for method in methods}
    assert routes == described


def test_the_description_is_served(app: Flask) -> None:
    assert Client(app).get("/openapi.json").json == describe()


SOME = hypothesis.settings(
    max_examples=12,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(hypothesis.HealthCheck),
    phases=[hypothesis.Phase.explicit, hypothesis.Phase.generate],
)


def try_all(
    app: Flask, headers: dict[str, str], skipped: Collection[str] = ()
) -> tuple[list[int], list[str]]:
    """Send what the description allows, and more; how many requests that were, and every server error."""
    import schemathesis  # takes longer to import than these tests do
    from schemathesis.core.result import Ok

    schema = schemathesis.openapi.from_wsgi("/openapi.json", app)
    sent, errors = [], []
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        operation = found.ok()
        if operation.path in skipped:
            continue

        @SOME
        @hypothesis.given(case=operation.as_strategy())
        def send(case: schemathesis.Case[Any]) -> None:
            answer = case.call(headers=headers)
            sent.append(answer.status_code)
            if answer.status_code >= 500:
                errors.append(
                    f"{case.method} {case.formatted_path} {answer.status_code}: {answer.content[:200]!r}"
                )

        send()
    return sent, errors


def test_nothing_that_is_sent_without_the_token_brings_a_server_error(app: Flask) -> None:
    sent, errors = try_all(app, {})
    assert errors == []
    assert len(sent) > 200
    assert {200, 400, 401, 404} <= set(sent)


def test_nothing_that_is_sent_with_the_token_brings_a_server_error(app: Flask) -> None:
    sent, errors = try_all(app, BEARER, skipped={"/serve"})  # it would ask the network
    assert errors == []
    assert len(sent) > 200
