"""Fetch what an untrusted URL names, without being led to where only this computer can go.

A host is resolved once and the address that was checked is the one that is connected to. Private, loopback,
link-local, multicast and reserved addresses are refused, however they are written, unless ``WORKBENCH_ALLOWED_HOSTS``
names the host and port. Redirects are checked alike. Sizes and times are limited, and the body goes to the disk.
"""

import http.client
import ipaddress
import socket
import ssl
import time
import urllib.parse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workbench.errors import NotFetched, UrlRefused

REDIRECTS = 3
CONNECT_S = 5.0
MAX_URL = 4_000
_NAT64 = ipaddress.ip_network("64:ff9b::/96")

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Resolve = Callable[[str, int], Sequence[str]]
Connect = Callable[[str, int, float], socket.socket]


@dataclass(frozen=True)
class Fetched:
    """The marks of what came, by which it is asked for again."""

    url: str
    etag: str
    last_modified: str
    changed: bool
    """``False`` where the server says that it is what we know; nothing was written."""


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host as the system knows them."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise NotFetched(f"the host {host[:100]!r} is not known: {error}") from error
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def connect(address: str, port: int, timeout_s: float) -> socket.socket:
    """A connection to the very address."""
    return socket.create_connection((address, port), timeout_s)


class Fetcher:
    """Fetches within rules; the network's two parts can be given for tests."""

    def __init__(
        self, allowed_hosts: Sequence[str] = (), *, resolve: Resolve = resolve, connect: Connect = connect
    ) -> None:
        self._allowed = {host.lower() for host in allowed_hosts}
        self._resolve, self._connect = resolve, connect

    def fetch(
        self,
        url: str,
        destination: Path,
        *,
        max_bytes: int,
        timeout_s: float,
        known: Fetched | None = None,
    ) -> Fetched:
        """Write what the URL names into a file.

        Parameters
        ----------
        known
            What was fetched before from this URL: if it has not changed, nothing is written.

        Raises
        ------
        UrlRefused, NotFetched
            See there.
        """
        give_up = time.monotonic() + timeout_s
        at = url
        for _ in range(REDIRECTS + 1):
            connection, path, host = self._open(at, give_up)
            try:
                answer = _ask(connection, path, host, known)
                if answer.status in (301, 302, 303, 307, 308) and (to := answer.getheader("Location")):
                    at = urllib.parse.urljoin(at, to)
                    continue
                if answer.status == 304 and known is not None:
                    return Fetched(url, known.etag, known.last_modified, False)
                if answer.status != 200:
                    raise NotFetched(f"{shown(at)} answers {answer.status} {answer.reason}"[:300])
                _write(answer, connection, destination, max_bytes, give_up, at)
                etag, modified = answer.getheader("ETag") or "", answer.getheader("Last-Modified") or ""
                return Fetched(url, etag[:200], modified[:100], True)
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = "it took too long" if isinstance(error, TimeoutError) else str(error)
                raise NotFetched(f"{shown(at)} cannot be fetched: {reason}"[:400]) from error
            finally:
                connection.close()
        raise NotFetched(f"{shown(url)} redirects more than {REDIRECTS} times")

    def _open(self, url: str, give_up: float) -> tuple[http.client.HTTPConnection, str, str]:
        """A connection to the checked address of a URL's host; the path to ask for, and the host's name."""
        parts, host, port = _parse(url)
        addresses = self._resolve(host, port)
        if f"{host.lower()}:{port}" not in self._allowed:
            for address in addresses:
                check_address(address, host)
        if not addresses:
            raise NotFetched(f"the host {host[:100]!r} has no address")
        timeout_s = _left(give_up)
        try:
            sock = self._connect(addresses[0], port, min(CONNECT_S, timeout_s))
        except OSError as error:
            raise NotFetched(f"{shown(url)} cannot be reached: {error}") from error
        connection = http.client.HTTPConnection(host, port, timeout=timeout_s)
        try:
            if parts.scheme == "https":
                sock = ssl.create_default_context().wrap_socket(sock, server_hostname=host)
        except (OSError, ValueError) as error:
            sock.close()
            raise NotFetched(f"{shown(url)}: {error}"[:300]) from error
        sock.settimeout(min(CONNECT_S, timeout_s))
        connection.sock = sock
        path = urllib.parse.quote(parts.path or "/", safe="/%:@!$&'()*+,;=~-._")
        query = urllib.parse.quote(parts.query, safe="/%:@!$&'()*+,;=~-._?")
        default = {"http": 80, "https": 443}[parts.scheme]
        named = f"[{host}]" if ":" in host else host
        return (
            connection,
            path + (f"?{query}" if query else ""),
            named if port == default else f"{named}:{port}",
        )


def check_address(text: str, host: str) -> None:
    """Refuse an address that is not on the open internet."""
    address = ipaddress.ip_address(text.partition("%")[0])
    for one in (address, *_inside(address)):
        if not one.is_global or one.is_multicast or one.is_reserved or one.is_unspecified:
            which = "" if host == text else f", which is {text},"
            raise UrlRefused(
                f"{host[:100]}{which} is not on the open internet, so it is not asked; give an address that is, or the file "
                "itself. Who runs the workbench can allow it: WORKBENCH_ALLOWED_HOSTS names exceptions as host:port"
            )


def _inside(address: Address) -> list[Address]:
    """IPv4 addresses that an IPv6 address stands for."""
    if not isinstance(address, ipaddress.IPv6Address):
        return []
    found: list[Any] = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in _NAT64 or int(address) >> 32 == 0:
        found.append(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return [one for one in found if one is not None]


def shown(url: str) -> str:
    """A URL without its query and password, for messages."""
    parts = urllib.parse.urlsplit(url)
    return f"{parts.scheme}://{(parts.hostname or '')[:100]}{parts.path[:100]}"


def _parse(url: str) -> tuple[urllib.parse.SplitResult, str, int]:
    if len(url) > MAX_URL or not url.isprintable() or any(c.isspace() for c in url):
        raise UrlRefused(f"a URL has at most {MAX_URL} printable characters and no spaces")
    try:
        parts = urllib.parse.urlsplit(url)
        port = parts.port
        host = parts.hostname and parts.hostname.encode("idna").decode()
    except ValueError as error:
        raise UrlRefused(f"not a URL: {error}"[:200]) from error
    if parts.scheme not in ("http", "https"):
        raise UrlRefused(f"only http and https URLs are fetched. Received: {parts.scheme[:20]!r}")
    if not host:
        raise UrlRefused("the URL names no host")
    if parts.username is not None or parts.password is not None:
        raise UrlRefused("a URL with a user's name or password in it is not fetched")
    if port == 0:
        raise UrlRefused("the URL's port is 0")
    return parts, host, port or (443 if parts.scheme == "https" else 80)


def _ask(
    connection: http.client.HTTPConnection, path: str, host: str, known: Fetched | None
) -> http.client.HTTPResponse:
    connection.putrequest("GET", path, skip_host=True, skip_accept_encoding=True)
    connection.putheader("Host", host)
    connection.putheader("User-Agent", "workbench")
    connection.putheader("Accept-Encoding", "identity")
    if known is not None and known.etag:
        connection.putheader("If-None-Match", known.etag)
    elif known is not None and known.last_modified:
        connection.putheader("If-Modified-Since", known.last_modified)
    connection.endheaders()
    return connection.getresponse()


def _write(
    answer: http.client.HTTPResponse,
    connection: http.client.HTTPConnection,
    destination: Path,
    max_bytes: int,
    give_up: float,
    url: str,
) -> None:
    announced = answer.getheader("Content-Length") or ""
    if announced.isdecimal() and int(announced) > max_bytes:
        raise NotFetched(f"{shown(url)} has {int(announced):,} bytes, more than {max_bytes:,}")
    received = 0
    with destination.open("wb") as file:
        while block := answer.read1(256 * 1024):
            received += len(block)
            if received > max_bytes:
                raise NotFetched(f"{shown(url)} has more than {max_bytes:,} bytes")
            file.write(block)
            left = _left(give_up)
            if connection.sock is not None:
                connection.sock.settimeout(min(CONNECT_S, left))
    if announced.isdecimal() and received != int(announced):
        raise NotFetched(f"{shown(url)} broke off at {received:,} of {int(announced):,} bytes")


def _left(give_up: float) -> float:
    left = give_up - time.monotonic()
    if left <= 0:
        raise TimeoutError("it took too long")
    return left
