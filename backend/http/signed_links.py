"""Links that open one guarded address for a while: signed with the deploy token, so that nothing is kept of them."""

import hmac
import time

MOST_S = 7 * 24 * 3600


def sign(path: str, key: str, lasts_s: int, *, now: float | None = None) -> str:
    """The path with a signature that opens it for so many seconds."""
    expires = int((time.time() if now is None else now) + lasts_s)
    return f"{path}?expires={expires}&signature={_signature(path, expires, key)}"


def opens(path: str, expires: str, signature: str, key: str, *, now: float | None = None) -> bool:
    """Whether the signature is ours for this path, and not out of date."""
    if not key or not (expires.isascii() and expires.isdecimal() and len(expires) < 16):
        return False
    same = hmac.compare_digest(
        _signature(path, int(expires), key).encode(), signature.encode("utf-8", "replace")
    )
    return same and (time.time() if now is None else now) < int(expires)


def _signature(path: str, expires: int, key: str) -> str:
    return hmac.digest(b"link:" + key.encode(), f"{path}\n{expires}".encode(), "sha256").hex()
