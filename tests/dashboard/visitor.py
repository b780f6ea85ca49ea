"""A visitor of a page without a browser: HTTP, and the websocket by which a page speaks to its kernel."""

import asyncio
import json
import re
import struct
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import numpy as np
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

CONFIG = re.compile(
    r'<script id="jupyter-config-data" type="application/json">\s*(\{.*?\})\s*</script>', re.DOTALL
)
CONTROL = "jupyter.widget.control"
MAX_BYTES = 100_000_000
ANSWER_S = 120.0
"""What the server may take to answer where nothing else is said; tornado would wait for 20 s."""

State = dict[str, object]


@dataclass
class Visitor:
    """One who has opened a page.

    Parameters
    ----------
    origin
        The dashboard's, ``http://127.0.0.1:8888``.
    """

    origin: str
    token: str
    kernel: str = ""
    widgets: dict[str, State] = field(default_factory=dict)
    """The state of each widget, by its number, as the kernel told it so far."""
    said: list[Mapping[str, Any]] = field(default_factory=list)
    """What widgets sent besides."""
    _socket: WebSocketClientConnection | None = None
    _reading: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)
    _session: str = field(default_factory=lambda: uuid.uuid4().hex)

    async def open(self, notebook: str, timeout_s: float) -> float:
        """Fetch the page, connect and learn its widgets; seconds until they are there."""
        began = time.monotonic()
        request = self._request(f"voila/render/{notebook}", request_timeout=timeout_s)
        page = (await AsyncHTTPClient().fetch(request)).body.decode()
        found = CONFIG.search(page)
        assert found, page[-2000:]
        self.kernel = json.loads(found[1])["kernelId"]
        address = f"api/kernels/{self.kernel}/channels?session_id={self._session}"
        socket = await websocket_connect(self._request(address, scheme="ws"), max_message_size=MAX_BYTES)
        self._socket = socket
        self._reading = asyncio.ensure_future(self._read(socket))
        control = uuid.uuid4().hex
        about = {"comm_id": control, "target_name": CONTROL, "data": {}}
        await self._send("comm_open", about, metadata={"version": "1.0.0"})
        await self._send("comm_msg", {"comm_id": control, "data": {"method": "request_states"}})
        await self.until(lambda: self.widgets, timeout_s)
        return time.monotonic() - began

    async def click(self, button: str) -> None:
        """Press the button of this name."""
        await self.tell(self.find("description", button), {"event": "click"})

    async def put(self, widget: str, **state: object) -> None:
        """Set traits of a widget, as its view does when somebody types."""
        data = {"method": "update", "state": state, "buffer_paths": []}
        await self._send("comm_msg", {"comm_id": widget, "data": data})

    async def draw(self, ink: np.ndarray, timeout_s: float) -> list[float]:
        """Draw on the canvas, uint8 ``(h, w)``; the probabilities that are shown."""
        height, width = ink.shape
        self.said.clear()
        about = {"kind": "ink", "id": 1, "height": height, "width": width}
        await self.tell(self.find("hint", "Draw here"), about, ink.tobytes())
        await self.until(lambda: any(one.get("kind") == "answer" for one in self.said), timeout_s)
        return next(list(one["probabilities"]) for one in self.said if one.get("kind") == "answer")

    def find(self, name: str, value: object) -> str:
        """The newest widget whose trait has this value."""
        return [number for number, state in self.widgets.items() if state.get(name) == value][-1]

    def has(self, name: str, value: object) -> bool:
        return any(state.get(name) == value for state in self.widgets.values())

    def all(self, name: str) -> list[str]:
        """What this trait is in each widget that has it."""
        return [str(state[name]) for state in self.widgets.values() if name in state]

    def texts(self) -> str:
        """All that is to be read in widgets."""
        return "\n".join(
            str(state[n]) for state in self.widgets.values() for n in ("html", "text") if n in state
        )

    async def tell(self, widget: str, content: Mapping[str, object], *buffers: bytes) -> None:
        """Send a message to a widget, as its view does."""
        data = {"method": "custom", "content": content}
        await self._send("comm_msg", {"comm_id": widget, "data": data}, buffers=buffers)

    async def until(self, condition: Callable[[], object], timeout_s: float) -> None:
        """Wait until something is shown."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                assert self._reading
                if self._reading.done():
                    self._reading.result()
                    raise ConnectionError(f"the connection to kernel {self.kernel} has ended")
                self._news.clear()
                await self._news.wait()

    async def leave(self) -> None:
        """Close the page, which tells the server so."""
        if self._reading:
            self._reading.cancel()
        if self.kernel:
            where = f"voila/api/shutdown/{self.kernel}"
            await AsyncHTTPClient().fetch(self._request(where, method="POST", body=""))
        if self._socket:
            self._socket.close()

    def _request(self, path: str, *, scheme: str = "http", **more: Any) -> HTTPRequest:
        usual = {
            "headers": {"Authorization": f"token {self.token}"},
            "connect_timeout": ANSWER_S,
            "request_timeout": ANSWER_S,
        }
        return HTTPRequest(f"{scheme}{self.origin.removeprefix('http')}/{path}", **{**usual, **more})

    async def _send(
        self,
        kind: str,
        content: Mapping[str, object],
        *,
        metadata: Mapping[str, object] | None = None,
        buffers: tuple[bytes, ...] = (),
    ) -> None:
        header = {
            **{"msg_id": uuid.uuid4().hex, "msg_type": kind, "session": self._session, "username": ""},
            **{"version": "5.3", "date": datetime.now(UTC).isoformat()},
        }
        message = {"header": header, "parent_header": {}, "metadata": metadata or {}, "content": content}
        parts = [json.dumps({**message, "channel": "shell"}).encode(), *buffers]
        starts = [4 * (len(parts) + 1)]
        for part in parts[:-1]:
            starts.append(starts[-1] + len(part))
        assert self._socket
        head = struct.pack(f"!{len(parts) + 1}I", len(parts), *starts)
        await self._socket.write_message(head + b"".join(parts), binary=True)

    async def _read(self, socket: WebSocketClientConnection) -> None:
        try:
            while (raw := await socket.read_message()) is not None:
                message = json.loads(_first_part(raw))
                if message["msg_type"] == "comm_open":
                    self._merge(message["content"]["comm_id"], message["content"]["data"].get("state"))
                elif message["msg_type"] == "comm_msg":
                    self._take(message["content"])
                self._news.set()
        finally:
            self._news.set()  # whoever waits finds that it has ended

    def _take(self, content: Mapping[str, Any]) -> None:
        data = content["data"]
        if data.get("method") == "update_states":
            for number, told in data["states"].items():
                self._merge(number, told["state"])
        elif data.get("method") in ("update", "echo_update"):
            self._merge(content["comm_id"], data.get("state"))
        elif data.get("method") == "custom":
            self.said.append(data["content"])

    def _merge(self, number: str, state: State | None) -> None:
        if state:
            self.widgets.setdefault(number, {}).update(state)


def _first_part(raw: str | bytes) -> str | bytes:
    """The JSON of a message; before it, where buffers follow, is where each part begins."""
    if isinstance(raw, str):
        return raw
    (count,) = struct.unpack_from("!I", raw)
    begins, ends = (
        struct.unpack_from("!II", raw, 4) if count > 1 else (*struct.unpack_from("!I", raw, 4), len(raw))
    )
    return raw[begins:ends]
