"""Links that open one guarded address for a while: signed with the deploy token, so that nothing is kept of them."""

import hashlib
import hmac
import time

from itsdangerous import Signer

MOST_S = 7 * 24 * 3600


def sign(path: str, key: str, lasts_s: int, *, now: float | None = None) -> str:
    """Give the path with a signature that opens it for so many seconds."""
    expires = int((time.time() if now is None else now) + lasts_s)
    return f"{path}?expires={expires}&signature={_signer(key).get_signature(_signed(path, expires)).decode()}"


def opens(path: str, expires: str, signature: str, key: str, *, now: float | None = None) -> bool:
    """Tell whether the signature is ours for this path, and not out of date."""
    if not key or not (expires.isascii() and expires.isdecimal() and len(expires) < 16):
        return False
    ours = _signer(key).get_signature(_signed(path, int(expires)))
    # Not verify_signature: base64 has several spellings of the same bytes, and only ours is taken.
    same = hmac.compare_digest(ours, signature.encode("utf-8", "replace"))
    return same and (time.time() if now is None else now) < int(expires)


def _signed(path: str, expires: int) -> bytes:
    return f"{path}\n{expires}".encode("utf-8", "replace")


def _signer(key: str) -> Signer:
    return Signer(key, salt="link", key_derivation="hmac", digest_method=hashlib.sha256)
