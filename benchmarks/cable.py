"""Two hosts within this computer: network namespaces that a virtual cable joins, each with a processor core of its own.

``tc`` limits how much goes through the cable. Linux alone has these, and root alone may make them.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from workbench.errors import Unavailable

TOOLS = ("ip", "tc", "taskset")
BURST_S, LEAST_BURST = 1e-3, 3_000
"""What may go at once after a pause: so many seconds' bytes, two packets at least. More would hide a slow link from steps
that send little."""
QUEUE = "50ms"
"""How long a packet may wait at the end of the cable before it is thrown away."""


@dataclass(frozen=True)
class Host:
    """One end of the cable."""

    namespace: str
    link: str
    address: str
    core: int

    def command(self, *words: str) -> list[str]:
        """What runs the command on this host; it becomes that command, so it has the same process id."""
        return ["ip", "netns", "exec", self.namespace, "taskset", "--cpu-list", str(self.core), *words]


@contextmanager
def lay(name: str = "wb-bench") -> Iterator[tuple[Host, Host]]:
    """The two hosts, joined and without a limit; nothing is left of them afterwards, nor of a run that was killed.

    Raises
    ------
    Unavailable
        There can be no two hosts here, or others use them.
    """
    cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
    if why := _why_not(cores):
        raise Unavailable(f"two hosts cannot be made here: {why}")
    a, b = hosts = tuple(
        Host(f"{name}-{end}", f"{name}-{end}"[-15:], f"10.203.77.{core + 1}", cores[core])
        for core, end in enumerate("ab")
    )
    for host in hosts:
        _clear(host)
    try:
        for host in hosts:
            _do("ip", "netns", "add", host.namespace)
        ends = ("netns", a.namespace, "type", "veth", "peer", b.link, "netns", b.namespace)
        _do("ip", "link", "add", a.link, *ends)
        for host in hosts:
            _do("ip", "-n", host.namespace, "address", "add", f"{host.address}/24", "dev", host.link)
            for link in ("lo", host.link):
                _do("ip", "-n", host.namespace, "link", "set", link, "up")
        yield a, b
    finally:
        for host in hosts:
            if host.namespace in _namespaces():
                _do("ip", "netns", "delete", host.namespace)


def limit(host: Host, mbit_per_s: float) -> None:
    """Let no more than that out of the host from now on."""
    burst = max(LEAST_BURST, round(mbit_per_s * 125e3 * BURST_S))
    rate = ("rate", f"{round(mbit_per_s * 1000)}kbit", "burst", f"{burst}b", "latency", QUEUE)
    _do("tc", "-n", host.namespace, "qdisc", "replace", "dev", host.link, "root", "tbf", *rate)


def unlimit(host: Host) -> None:
    """Let as much out of the host as the cores can move; does nothing where there is no limit."""
    if "tbf" in _do("tc", "-n", host.namespace, "qdisc", "show", "dev", host.link):
        _do("tc", "-n", host.namespace, "qdisc", "delete", "dev", host.link, "root")


def sent(host: Host) -> int:
    """Bytes that have gone into the cable so far, headers and what was sent again in it."""
    link: dict[str, Any] = json.loads(_do("ip", "-n", host.namespace, "-s", "-j", "link", "show", host.link))[
        0
    ]
    return int(link["stats64"]["tx"]["bytes"])


def _why_not(cores: list[int]) -> str:
    if not cores or os.geteuid() != 0:
        return "only root on Linux can make network namespaces"
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(missing)} not found; Debian has them in iproute2 and util-linux"
    if len(cores) < 2:
        return "each needs a processor core of its own, and there is one"
    return ""


def _clear(host: Host) -> None:
    """Remove what is left of a run that was killed."""
    if host.namespace not in _namespaces():
        return
    if living := _do("ip", "netns", "pids", host.namespace).split():
        raise Unavailable(f"{host.namespace} is in use; end these processes first: {', '.join(living)}")
    _do("ip", "netns", "delete", host.namespace)


def _namespaces() -> list[str]:
    return [line.split()[0] for line in _do("ip", "netns", "list").splitlines() if line]


def _do(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Unavailable(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout
