"""Keeps TensorFlow's gRPC server, which has no authentication, off addresses that are not the cluster's.

TensorFlow is given an address for each machine but binds its server to all interfaces (``[::]:port``; no option of
``tf.distribute.Server`` or of the strategies changes it: https://github.com/tensorflow/tensorflow/issues/2925). Its
libraries find the C library's ``bind`` through a table that the dynamic linker fills in. ``listen_only_on`` puts a
function of ours into that table, for TensorFlow's libraries alone, which replaces "all interfaces" by the machine's own
address. Where that cannot be done (another system than Linux on x86-64 or arm64) it says so, and the network must keep
others out: a namespace, a security group, a firewall.

Versions: ``tensorflow>=2.21,<2.22``. Goes when TensorFlow binds the address that it is given.
"""

import ctypes
import mmap
import platform
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
import psutil

_JUMP_SLOT = {"x86_64": 7, "aarch64": 1026}
"""The relocation that holds an imported function's address (psABI of each processor)."""
_DYNAMIC = 2  # the numbers below are those of <elf.h>
_STRTAB, _SYMTAB, _PLTRELSZ, _JMPREL = 5, 6, 2, 23
_RELOCATION = np.dtype([("offset", "u8"), ("info", "u8"), ("addend", "i8")])
_SYMBOL = np.dtype([("name", "u4"), ("rest", "V20")])
_BIND = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_uint32, use_errno=True)
_kept: list[Any] = []
"""What C code may call as long as the process lives."""


class _Segment(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_uint32),
        ("flags", ctypes.c_uint32),
        *((name, ctypes.c_uint64) for name in ("offset", "address", "physical", "in_file", "size", "align")),
    )


class _Library(ctypes.Structure):
    _fields_ = (
        ("base", ctypes.c_uint64),
        ("name", ctypes.c_char_p),
        ("segments", ctypes.POINTER(_Segment)),
        ("count", ctypes.c_uint16),
    )


_LOOK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(_Library), ctypes.c_size_t, ctypes.c_void_p)


def listen_only_on(address: str) -> bool:
    """Have TensorFlow bind ``HOST:PORT`` where it would bind that port of all interfaces.

    Call it after TensorFlow is imported and before its server starts. ``False`` if it cannot be done here.
    """
    if sys.platform != "linux" or platform.machine() not in _JUMP_SLOT:
        return False
    host, port = address.rsplit(":", 1)
    ip = socket.inet_aton(socket.gethostbyname(host))
    libc = ctypes.CDLL(None, use_errno=True)
    real = _BIND(("bind", libc))

    def bind(descriptor: int, name: int, length: int) -> int:
        asked = narrow(ctypes.string_at(name, length), ip, int(port))
        return int(real(descriptor, ctypes.addressof(ctypes.create_string_buffer(asked, length)), length))

    ours = _BIND(bind)
    _kept.append(ours)
    slots = [slot for library in _libraries("libtensorflow") for slot in _slots(library, b"bind")]
    for slot in slots:
        page = slot & -mmap.PAGESIZE  # read-only where the library was linked with -z now
        if libc.mprotect(ctypes.c_void_p(page), ctypes.c_size_t(mmap.PAGESIZE), 1 | 2):
            return False
        ctypes.c_void_p.from_address(slot).value = ctypes.cast(ours, ctypes.c_void_p).value
    return bool(slots)


def narrow(asked: bytes, ip: bytes, port: int) -> bytes:
    """The socket address with ``ip`` in the place of "all interfaces", if it asks for them and for this port."""
    family = struct.unpack_from("=H", asked)[0]
    if len(asked) < 8 or struct.unpack_from("!H", asked, 2)[0] != port:
        return asked
    if family == socket.AF_INET and asked[4:8] == bytes(4):
        return asked[:4] + ip + asked[8:]
    if family == socket.AF_INET6 and asked[8:24] == bytes(16):
        return asked[:8] + bytes(10) + b"\xff\xff" + ip + asked[24:]
    return asked


def listens_to_all(port: int) -> bool:
    """Tell if this process accepts connections to the port on every interface."""
    return any(
        connection.status == psutil.CONN_LISTEN
        and connection.laddr.port == port
        and connection.laddr.ip in ("::", "0.0.0.0")  # noqa: S104 - looked for, not bound
        for connection in psutil.Process().net_connections("tcp")
    )


def _libraries(part: str) -> list[dict[int, int]]:
    """Dynamic sections, tag → value, of the loaded libraries with ``part`` in their paths."""
    found = []

    def look(info: Any, size: int, data: Any) -> int:
        library = info.contents
        if part in (library.name or b"").decode(errors="replace"):
            for segment in library.segments[: library.count]:
                if segment.type == _DYNAMIC:
                    found.append(dict(_entries(library.base + segment.address)) | {0: library.base})
        return 0

    ctypes.CDLL(None).dl_iterate_phdr(_LOOK(look), None)
    return found


def _entries(address: int) -> Iterator[tuple[int, int]]:
    while True:
        tag, value = struct.unpack("=qQ", ctypes.string_at(address, 16))
        if tag == 0:
            return
        yield tag, value
        address += 16


def _slots(library: dict[int, int], name: bytes) -> Iterator[int]:
    """Find the places in which the library keeps the address of the function of this name that it imports."""
    if not {_STRTAB, _SYMTAB, _PLTRELSZ, _JMPREL} <= library.keys():
        return
    table = np.frombuffer(ctypes.string_at(library[_JMPREL], library[_PLTRELSZ]), _RELOCATION)
    table = table[table["info"] & 0xFFFFFFFF == _JUMP_SLOT[platform.machine()]]
    symbols = table["info"] >> 32
    entries = ctypes.string_at(library[_SYMTAB], _SYMBOL.itemsize * (int(symbols.max(initial=0)) + 1))
    for place, slot in zip(np.frombuffer(entries, _SYMBOL)["name"][symbols], table["offset"], strict=True):
        if ctypes.string_at(library[_STRTAB] + int(place), len(name) + 1) == name + b"\0":
            yield library[0] + int(slot)
