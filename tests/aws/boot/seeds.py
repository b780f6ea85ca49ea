"""What stands at the address of the metadata and gives the user data: to each machine its own."""

import contextlib
import json
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from tests.aws.boot.root import CA

GUEST = "10.0.2.15"
"""Of each machine, in a network of its own."""
HOST = "10.0.2.2"
"""This computer's loopback address, as a machine sees it."""


@dataclass
class Seed:
    """What cloud-init asks for: ``files`` by their names, and an instance's metadata from the emulator."""

    emulator_port: int
    instance: str
    files: dict[str, str]
    port: int = 0
    environ: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.port}/seed/"

    def trouble(self, troubles: Sequence[str]) -> None:
        """Have these commands run at each boot from now on, before the user data."""
        lines = "".join(f"  - {json.dumps(one)}\n" for one in troubles)
        self.files["vendor-data"] = f"#cloud-config\nbootcmd:\n{lines}" if troubles else ""


@contextlib.contextmanager
def served(emulator_port: int, instance: str, user_data: str, troubles: Sequence[str]) -> Iterator[Seed]:
    """Serve them while this lasts."""
    files = {
        "user-data": user_data,
        "meta-data": f"instance-id: {instance}\nlocal-hostname: machine\n",
    }
    seed = Seed(emulator_port, instance, files)
    seed.trouble(troubles)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(seed))
    seed.port = server.server_address[1]
    seed.environ = {
        "AWS_ENDPOINT_URL": f"http://{HOST}:{emulator_port}",
        "BENCH": f"{HOST}:{seed.port}",
        "SSL_CERT_FILE": str(
            CA
        ),  # whom this computer trusts: its way to PyPI may have a certificate of its own
    }
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield seed
    finally:
        server.shutdown()
        server.server_close()


def _handler(seed: Seed) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            name = self.path.removeprefix("/seed/")
            if name in seed.files:
                self._answer(200, seed.files[name].encode())
            elif name != self.path:
                self._answer(404, b"")
            elif self.path == "/latest/meta-data/local-ipv4":  # the emulator's is of its own network
                self._answer(200, GUEST.encode())
            else:
                self._ask_emulator()

        def do_PUT(self) -> None:
            self._ask_emulator()

        def _ask_emulator(self) -> None:
            url = f"http://127.0.0.1:{seed.emulator_port}/emulator-metadata/{seed.instance}{self.path}"
            kept = {k: v for k, v in self.headers.items() if k.lower().startswith("x-aws")}
            try:
                asked = urllib.request.Request(url, method=self.command, headers=kept)
                with urllib.request.urlopen(asked, timeout=20) as answer:
                    self._answer(answer.status, answer.read())
            except urllib.error.HTTPError as error:
                self._answer(error.code, error.read())
            except OSError:
                self._answer(503, b"")

        def _answer(self, status: int, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
