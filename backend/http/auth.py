"""Know the caller: the deploy token, and a visitor's address behind proxies."""

import hmac
import ipaddress
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

from flask import current_app, request

from workbench.errors import TokenNeeded

P = ParamSpec("P")
R = TypeVar("R")


def has_token(expected: str) -> bool:
    """Tell whether the request brings the deploy token."""
    scheme, _, given = request.headers.get("Authorization", "").partition(" ")
    same = hmac.compare_digest(given.strip().encode("utf-8", "replace"), expected.encode())
    return bool(same and expected and scheme.lower() == "bearer")


def check_token(expected: str) -> None:
    """Refuse the request unless it brings the deploy token."""
    if not has_token(expected):
        raise TokenNeeded("this route needs the deploy token: Authorization: Bearer …")


def needs_token(expected: str) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only callers in who bring the deploy token."""

    def decorate(route: Callable[P, R]) -> Callable[P, R]:
        @wraps(route)
        def guarded(*args: P.args, **kwargs: P.kwargs) -> R:
            check_token(expected)
            return route(*args, **kwargs)

        return guarded

    return decorate


PROOF = "X-Workbench-Front"
"""The header by which the front end of this computer is known: every program there has its address."""


def visitor() -> str:
    """The caller's address: what a trusted proxy or our own front end says, else the connection's own."""
    address = request.remote_addr or ""
    if _is_front_end() or _is_proxy(address):
        return request.headers.get("X-Forwarded-For", address).rpartition(",")[2].strip()[:64]
    return address


def _is_front_end() -> bool:
    proof = request.headers.get(PROOF, "")
    return hmac.compare_digest(
        proof.encode("utf-8", "replace"), current_app.config["FRONT_END_PROOF"].encode()
    )


def _is_proxy(address: str) -> bool:
    try:
        known = ipaddress.IPv4Address(address)
    except ValueError:
        return False
    return any(known in network for network in current_app.config["TRUSTED_PROXIES"])
