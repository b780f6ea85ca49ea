"""What TensorFlow Serving says to verbs that are not for a route or a model, and how it takes compressed bodies."""

import json
import zlib
from collections.abc import Mapping

from backend.tfserving.rest_format import Signature
from workbench.errors import BadInput, TooLarge

GZIP = 16 + zlib.MAX_WBITS
METHOD = "tensorflow/serving/predict"
"""Of every signature that is served here."""


def malformed(method: str, path: str) -> BadInput:
    """A request that is none of the API's."""
    return BadInput(f"Malformed request: {method} {path[:200]}")


def unpack(body: bytes, encoding: str, most: int) -> bytes:
    """Give a body as it was before its ``Content-Encoding``, which may be ``gzip``.

    Raises
    ------
    BadInput
        It is damaged, or of another encoding.
    TooLarge
        It grows to more than ``most`` bytes; no more of it is unpacked.
    """
    encoding = encoding.strip().lower()
    if encoding in ("", "identity"):
        if body[:2] == b"\x1f\x8b":
            raise BadInput("the body is gzip'd; say so: Content-Encoding: gzip")
        return body
    if encoding not in ("gzip", "x-gzip"):
        raise BadInput(f"a body may be gzip'd or plain. Received: Content-Encoding {encoding[:40]!r}")
    plain = bytearray()
    try:
        while body:  # several streams one after the other are one file
            inflate = zlib.decompressobj(GZIP)
            plain += inflate.decompress(body, most + 1 - len(plain))
            if len(plain) > most:
                raise TooLarge(f"the body grows to more than {most:,} bytes")
            if not inflate.eof:
                raise BadInput("the gzip'd body is cut off")
            body = inflate.unused_data
    except zlib.error as error:
        raise BadInput(f"the body is no gzip: {error}") from error
    return bytes(plain)


def refuse_examples(verb: str, body: bytes, signatures: Mapping[str, Signature]) -> BadInput:
    """Say why ``:classify`` and ``:regress`` are not for a model whose signatures predict.

    In the order in which TensorFlow Serving looks: JSON, examples, signature.
    """
    try:
        asked = json.loads(body)
    except (ValueError, RecursionError) as error:
        return BadInput(f"JSON Parse error: {error}"[:300])
    if not isinstance(asked, dict):
        return BadInput("JSON Value must be an object")
    examples = asked.get("examples")
    shown = json.dumps(asked)[:80]
    if "examples" not in asked:
        return BadInput(
            f"JSON Value: {shown} When method is classify, key 'examples' is expected and was not found"
        )
    if not isinstance(examples, list):
        return BadInput(f"JSON Value: {shown} Expecting 'examples' value to be an list/array")
    if not examples:
        return BadInput(f"JSON Value: {shown} 'examples' value is an empty array")
    name = asked.get("signature_name") or "serving_default"
    if name not in signatures:
        return BadInput(f"No signature was found with the name: {str(name)[:80]}")
    kind = "classification" if verb == "classify" else "regression"
    return BadInput(
        f"Expected {kind} signature method_name to be tensorflow/serving/{verb}. Was: {METHOD}; use :predict"
    )
