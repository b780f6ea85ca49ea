"""A filter of system calls that keeps a process, and all that it starts, from calling anybody; it takes no rights.

For where no network namespace can be had. Addresses are out of such a filter's sight, so it knows two degrees: *no
sockets* at all, for a server that is given the one on which it listens, and for others *no calls*: TCP sockets that
listen and accept, and never connect. Linux on x86-64 and ARM, the standard library alone.

https://docs.kernel.org/userspace-api/seccomp_filter.html
"""

import ctypes
import os
import platform
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass

_X86, _ARM = "x86_64", "aarch64"
_ARCHITECTURE = {_X86: 0xC000003E, _ARM: 0xC00000B7}
_NUMBERS = {
    _X86: {
        "socket": 41,
        "connect": 42,
        "sendto": 44,
        "sendmsg": 46,
        "ptrace": 101,
        "unshare": 272,
        "sendmmsg": 307,
        "process_vm_readv": 310,
        "process_vm_writev": 311,
        "io_uring_setup": 425,
        "pidfd_getfd": 438,
    },
    _ARM: {
        "unshare": 97,
        "ptrace": 117,
        "socket": 198,
        "connect": 203,
        "sendto": 206,
        "sendmsg": 211,
        "sendmmsg": 269,
        "process_vm_readv": 270,
        "process_vm_writev": 271,
        "io_uring_setup": 425,
        "pidfd_getfd": 438,
    },
}
_LOAD, _AND, _EQUAL, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x35, 0x06
_ALLOW, _KILL, _REFUSE = 0x7FFF0000, 0x80000000, 0x00050000 | 1  # EPERM
_X32 = 0x40000000
"""Where a second set of numbers for the same calls begins, on x86-64."""
_FAST_OPEN = 0x20000000
"""The flag with which sending connects."""
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2

_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(frozen=True)
class If:
    """A condition on the lower or upper 32 bits of an argument."""

    argument: int
    value: int
    equals: bool = True
    mask: int = 0xFFFFFFFF
    upper: bool = False


@dataclass(frozen=True)
class Refuse:
    """A system call that is answered *Operation not permitted*, if all conditions hold."""

    call: str
    conditions: tuple[If, ...] = ()


_NO_CALLS = (
    Refuse("connect"),
    Refuse("sendto", (If(4, 0, equals=False),)),  # with an address
    Refuse("sendto", (If(4, 0, equals=False, upper=True),)),
    Refuse("sendto", (If(3, 0, equals=False, mask=_FAST_OPEN),)),
    Refuse("sendmsg", (If(2, 0, equals=False, mask=_FAST_OPEN),)),
    Refuse("sendmmsg"),
    Refuse("io_uring_setup"),  # it makes any call without making it
    # Other processes of the same user have sockets.
    *(Refuse(call) for call in ("ptrace", "process_vm_readv", "process_vm_writev", "pidfd_getfd")),
)
NO_SOCKETS = (Refuse("socket"), *_NO_CALLS)
NO_CALLS = (
    Refuse("socket", (If(0, socket.AF_INET, equals=False), If(0, socket.AF_INET6, equals=False))),
    Refuse("socket", (If(1, socket.SOCK_STREAM, equals=False, mask=0xF),)),
    *_NO_CALLS,
)


def works() -> bool:
    """Whether this system lets a process have such a filter; tried in a child."""
    tried = os.fork()
    if tried == 0:
        try:
            install(NO_SOCKETS)
            try:
                socket.socket().close()
            except PermissionError:
                os._exit(0)
        finally:
            os._exit(1)
    return os.waitpid(tried, 0)[1] == 0


def install(refused: Sequence[Refuse]) -> None:
    """Refuse these calls to this thread and all that it starts, for good; its programs get no rights by exec.

    Raises
    ------
    OSError
        The system has no such filters, or not for this machine.
    """
    machine = platform.machine()
    if machine not in _NUMBERS:
        raise OSError(f"system calls cannot be filtered on {machine}, only on {' and '.join(_NUMBERS)}")
    program = b"".join(struct.pack("=HBBI", *step) for step in _compile(refused, machine))
    steps = ctypes.create_string_buffer(program, len(program))
    header = struct.pack("@HP", len(program) // 8, ctypes.addressof(steps))
    zero = ctypes.c_ulong(0)
    for what, one, other in (
        (_NO_NEW_PRIVS, ctypes.c_ulong(1), zero),
        (_SET_SECCOMP, ctypes.c_ulong(_FILTER), ctypes.c_char_p(header)),
    ):
        if _libc.prctl(what, one, other, zero, zero) != 0:
            number = ctypes.get_errno()
            raise OSError(number, f"prctl({what}): {os.strerror(number)}")


_Step = tuple[int, int, int, int]
"""Code, how many steps to jump if true, if false, and a number."""


def _compile(refused: Sequence[Refuse], machine: str) -> list[_Step]:
    program: list[_Step] = [
        (_LOAD, 0, 0, 4),
        (_EQUAL, 1, 0, _ARCHITECTURE[machine]),
        (_RETURN, 0, 0, _KILL),
    ]
    if machine == _X86:
        program += [(_LOAD, 0, 0, 0), (_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, _REFUSE)]
    for refuse in refused:
        body: list[_Step] = [(_RETURN, 0, 0, _REFUSE)]
        for condition in reversed(refuse.conditions):
            over = len(body)
            jumps = (0, over) if condition.equals else (over, 0)
            offset = 16 + 8 * condition.argument + 4 * condition.upper
            body = [
                (_LOAD, 0, 0, offset),
                (_AND, 0, 0, condition.mask),
                (_EQUAL, *jumps, condition.value),
                *body,
            ]
        program += [(_LOAD, 0, 0, 0), (_EQUAL, 0, len(body), _NUMBERS[machine][refuse.call]), *body]
    return [*program, (_RETURN, 0, 0, _ALLOW)]
