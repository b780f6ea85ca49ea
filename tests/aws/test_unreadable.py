"""Answers that are none of AWS's, as a proxy gives them, are told in words; an optional question becomes unknown."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from workbench.application import checks
from workbench.application.template import Wish
from workbench.aws.refusals import AwsError, AwsFailure, said
from workbench.aws.session import Session
from workbench.aws.types import MachineType
from workbench.settings import Settings

PAGE = b"<!DOCTYPE html>\n<html><head><title>502</title></head><body>Bad gateway<br></body></html>"
ANSWERS = [
    (500, PAGE, "text/html"),
    (502, PAGE, "text/html"),
    (200, PAGE, "text/html"),
    (200, b"<html/>", "text/xml"),
    (200, b"It works!", "text/plain"),
    (500, b"", "text/html"),
    (403, PAGE, "text/html"),
    (500, b"\xff\xfe\x00", "application/octet-stream"),
]
QUESTIONS: dict[str, Callable[[Session], object]] = {
    "query": lambda session: session.sts.get_caller_identity(),
    "ec2": lambda session: session.ec2.describe_addresses(),
    "json": lambda session: session.ssm.describe_parameters(),
    "rest-xml": lambda session: session.s3.list_objects_v2(Bucket="bucket"),
    "cloudformation": lambda session: session.cfn.describe_stacks(),
    "quotas": lambda session: session.quotas.get_service_quota(ServiceCode="ec2", QuotaCode="L-1"),
    "caller": lambda session: session.caller,
}


@contextmanager
def answering(status: int, body: bytes, kind: str) -> Iterator[str]:
    """A server that answers so to everything."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST

        def log_message(self, format: str, *arguments: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> Settings:
    from workbench.settings import from_environment

    for name, value in {
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_MAX_ATTEMPTS": "1",
        "AWS_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    return from_environment({"WORKBENCH_HOME": str(tmp_path), "WORKBENCH_AWS_REGION": "eu-central-1"})


@pytest.mark.parametrize("question", QUESTIONS)
@pytest.mark.parametrize(("status", "body", "kind"), ANSWERS)
def test_an_answer_that_cannot_be_read_is_told_in_words(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, kind: str, question: str
) -> None:
    with answering(status, body, kind) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        session = Session.open(settings)
        with pytest.raises((*AwsFailure, AwsError)) as caught:
            QUESTIONS[question](session)
    told = str(said(caught.value, "ask"))
    assert told.startswith("cannot ask")
    assert "<" not in told
    assert len(told) < 500


@pytest.mark.parametrize(("status", "body", "kind"), ANSWERS)
def test_an_optional_question_that_gets_no_answer_becomes_unknown(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, kind: str
) -> None:
    wish = Wish()
    kinds = {name: MachineType(4, 16.0, "x86_64") for name in wish.types.values()}
    with answering(status, body, kind) as url:
        monkeypatch.setenv("AWS_ENDPOINT_URL", url)
        found = checks.check(Session.open(settings), settings, wish, kinds, None)
    assert {one.what: one.ok for one in found} == {
        "application": True,
        "processors": None,
        "Elastic IPs": None,
        "permissions": None,
    }
