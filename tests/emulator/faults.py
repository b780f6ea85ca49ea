"""What goes wrong on demand: an error, an error after the effect, a cut connection, a killed caller, a delay."""

import json
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from tests.emulator.calls import ACCOUNT

_THROTTLED = {"ec2": "RequestLimitExceeded", "s3": "SlowDown", "ssm": "ThrottlingException"}
_DENIED = {"ec2": "UnauthorizedOperation", "ssm": "AccessDeniedException"}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong."""

    action: str
    """As in a policy, with or without the service: ``RunInstances``, ``ec2:RunInstances``; ``*`` for every call.
    ``stack:create AWS::EC2::Subnet`` and ``stack:delete …`` hit what CloudFormation does with a resource."""
    code: str = ""
    """AWS's word for the error: ``InsufficientInstanceCapacity``; empty: no error."""
    message: str = ""
    status: int = 400
    times: int | None = 1
    """How many calls it hits; ``None``: all."""
    skip: int = 0
    """How many such calls pass before."""
    after_effect: bool = False
    """AWS does what was asked and says the error then."""
    cut: bool = False
    """The connection ends in place of an answer."""
    kill: bool = False
    """The process that called is ended by signal 9 when AWS has done what it asked."""
    delay_s: float = 0
    who: str = "caller"
    """``caller`` (whoever has the account's key), ``machines`` or ``anyone``."""

    @staticmethod
    def throttled(action: str, times: int | None = None, **more: Any) -> "Fault":
        """Asked too often; by default for ever, so beyond all retries."""
        service = action.partition(":")[0]
        status = 503 if service in ("ec2", "s3") else 400
        code = _THROTTLED.get(service, "Throttling")
        return Fault(action, code, "Rate exceeded", status, times, **more)

    @staticmethod
    def denied(action: str, times: int | None = None, **more: Any) -> "Fault":
        """Not allowed, in AWS's words."""
        service = action.partition(":")[0]
        words = (
            f"User: arn:aws:iam::{ACCOUNT}:user/someone is not authorized to perform: {action} because no "
            "identity-based policy allows the action"
        )
        if service == "ec2":
            words = f"You are not authorized to perform this operation. {words}"
        return Fault(action, _DENIED.get(service, "AccessDenied"), words, 403, times, **more)

    def hits(self, service: str, action: str, machine: str | None) -> bool:
        if self.who != "anyone" and (self.who == "machines") != (machine is not None):
            return False
        named = (action, f"{service}:{action}", f"{service}:*")
        return self.action in named or (self.action == "*" and service != "stack")


class Faults:
    """The faults that are to come, shared by the threads that answer."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._left: list[list[Any]] = []

    def set(self, faults: Iterable[Fault]) -> None:
        with self._lock:
            self._left = [[fault, fault.skip, fault.times] for fault in faults]

    def pending(self, service: str, action: str) -> list[Fault]:
        """The faults that would hit such a call of the account's owner."""
        with self._lock:
            return [
                fault for fault, _, times in self._left if times != 0 and fault.hits(service, action, None)
            ]

    def take(self, service: str, action: str, machine: str | None) -> list[Fault]:
        """The faults that hit this call: what only delays, and the first of the others."""
        taken: list[Fault] = []
        with self._lock:
            for entry in self._left:
                fault, skip, times = entry
                harmless = not (fault.code or fault.cut or fault.kill)
                if times == 0 or not fault.hits(service, action, machine):
                    continue
                if skip:
                    entry[1] -= 1
                    continue
                if harmless or all(not (f.code or f.cut or f.kill) for f in taken):
                    taken.append(fault)
                    entry[2] = None if times is None else times - 1
        return taken


def as_json(faults: Iterable[Fault]) -> str:
    return json.dumps([asdict(fault) for fault in faults])


def from_json(text: bytes) -> list[Fault]:
    return [Fault(**entry) for entry in json.loads(text)]
