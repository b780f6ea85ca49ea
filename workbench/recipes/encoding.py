"""A recipe's source code between bytes and text, as Python itself reads it: byte order mark, coding line, UTF-8.

The text keeps a byte order mark, so that the bytes that are written for a machine are those that were read.
"""

import ast
import codecs
import io
import tokenize

from workbench.errors import BadInput

_MARK = "\ufeff"
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def decode(content: bytes, name: str) -> str:
    """The text in a Python file; ``name`` is what an error calls it.

    >>> decode("# -*- coding: latin-1 -*-\\n# größe".encode("latin-1"), "training.py")[-5:]
    'größe'

    Raises
    ------
    BadInput
        It is in no encoding that Python would read.
    """
    if content.startswith(_WIDE):
        raise BadInput(f"{name} is in UTF-16, which Python does not read; save it as UTF-8")
    try:
        encoding = _encoding(content)
        text = content.decode("utf-8" if encoding == "utf-8-sig" else encoding)
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise BadInput(
            f"{name}, line {line}: the byte 0x{content[error.start]:02x} is not {error.encoding.upper()}; save the "
            "file as UTF-8, or say in its first line what it is: # -*- coding: latin-1 -*-"
        ) from error
    except (SyntaxError, LookupError) as error:  # a coding line that names none, or another than the mark
        raise BadInput(f"{name}: {error}; save it as UTF-8 and leave its coding line out") from error
    return text


def encode(text: str, name: str) -> bytes:
    """The bytes of a Python file with this text, which is in the encoding that its own first lines name.

    Raises
    ------
    BadInput
        It holds characters which that encoding has not.
    """
    try:
        encoding = _encoding(text.encode())
        return text.encode("utf-8" if encoding == "utf-8-sig" else encoding)
    except (UnicodeEncodeError, SyntaxError, LookupError) as error:
        raise BadInput(f"{name}: {error}; leave the coding line out, the text is written as UTF-8") from error


def parse(text: str, name: str) -> ast.Module:
    """The syntax tree of the text; raises ``SyntaxError`` and ``ValueError`` as ``ast.parse``, and nothing else.

    >>> len(parse("\\ufeffimport keras", "training.py").body)
    1
    """
    try:
        return ast.parse(text.removeprefix(_MARK), name)
    except (RecursionError, MemoryError) as error:  # a long sum, brackets in brackets
        raise SyntaxError("it is nested too deeply for Python; make several statements of it") from error


def _encoding(content: bytes) -> str:
    try:
        return tokenize.detect_encoding(io.BytesIO(content).readline)[0]
    except SyntaxError:
        # Also raised for a first line that is no UTF-8: then whoever decodes says where.
        if any(b"coding" in line for line in content.splitlines()[:2]):
            raise
        return "utf-8"
