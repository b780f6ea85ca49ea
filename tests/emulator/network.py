"""Where machines have their addresses: an own network namespace for the region, or loopback addresses.

Two emulators never meet: each takes a free number, which is part of every address that is visible outside.
"""

import contextlib
import ctypes
import ipaddress
import itertools
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

METADATA = "169.254.169.254"
_CLONE_NEWNS = 0x00020000
_CLONE_NEWNET = 0x40000000
_MS_REC_PRIVATE = 0x4000 | 0x40000


def run(*argv: str, text: str | None = None) -> str:
    """Run a system's tool; its words are in the error.

    Raises
    ------
    RuntimeError
        It failed.
    """
    done = subprocess.run(argv, input=text, text=True, capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(argv)}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Loopback:
    """``proc`` mode: machines have addresses 127.N.…, public addresses are forwarders to them."""

    enforces_groups = False

    def __init__(self) -> None:
        self._claim, self.number = _claimed_number()
        self.outside = "127.0.0.1"
        # From 255 down to 128: beyond what the subnets of ``private`` reach.
        self._fresh = (f"127.{self.number}.{255 - n // 254 % 128}.{1 + n % 254}" for n in itertools.count())
        self._forwarders: dict[str, list[_Forwarder]] = {}

    def private(self, address: str) -> str:
        """The address that a machine has in place of the subnet's."""
        return ".".join(["127", str(self.number), *address.split(".")[2:]])

    def in_subnet(self, address: str, cidr: str) -> str:
        """The subnet's address for one that ``private`` gave; any other as it is."""
        if not address.startswith(f"127.{self.number}."):
            return address
        return ".".join([*cidr.split(".")[:2], *address.split(".")[2:]])

    def new_public(self) -> str:
        """A public address that nobody had before."""
        return next(self._fresh)

    def publish(self, public: str, private: str, ports: Iterable[int]) -> None:
        """Lead a public address to a machine: the ports that its groups open to everybody."""
        self.unpublish(public)
        self._forwarders[public] = [_Forwarder(public, private, port) for port in ports]

    def unpublish(self, public: str) -> None:
        for forwarder in self._forwarders.pop(public, []):
            forwarder.close()

    def forget(self) -> None:
        """Nothing is published any more."""
        for public in list(self._forwarders):
            self.unpublish(public)

    def close(self) -> None:
        self.forget()
        self._claim.close()


class _Forwarder:
    """Passes what comes to one port of one address on to another address."""

    def __init__(self, public: str, private: str, port: int) -> None:
        self._to = (private, port)
        self._listener: socket.socket | None = None
        with contextlib.suppress(PermissionError):  # ports below 1024 are root's: nothing answers there
            self._listener = socket.create_server((public, port))
            threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            try:
                server = socket.create_connection(self._to, timeout=5)
            except OSError:
                return
            with server:
                server.settimeout(None)
                back = threading.Thread(target=_pump, args=(server, client), daemon=True)
                back.start()
                _pump(client, server)
                back.join()

    def close(self) -> None:
        if self._listener:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # or accept would go on waiting
            self._listener.close()


def _pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)


def _claimed_number() -> tuple[socket.socket, int]:
    for number in range(16, 250):
        with contextlib.suppress(OSError):
            return socket.create_server((f"127.{number}.255.254", 61999)), number
    raise RuntimeError("no number from 16 to 249 is free: are that many emulators running?")


class Namespaces:
    """``ns`` mode: the region is a network namespace of this process, and each machine has its own in it.

    Make it before any thread starts: from then on this process and its children live in the region's
    namespaces. Sockets opened before stay outside, which is how the outside reaches the emulator.
    """

    def __init__(self, folder: Path, listen: Callable[[str, int], None]) -> None:
        self._listen = listen
        self.port = 0
        self.enforces_groups = shutil.which("nft") is not None
        self._outside_ns = os.open("/proc/self/ns/net", os.O_RDONLY)
        self.number = self._add_link()
        self.outside = f"198.19.{self.number}.1"
        self._fresh = (f"198.18.{self.number}.{n}" for n in itertools.cycle(range(1, 255)))
        self._bridges: dict[str, str] = {}
        self._answered: set[str] = set()
        self._published: dict[str, tuple[str, int]] = {}
        self._lock = threading.RLock()
        self._enter(folder)

    def _add_link(self) -> int:
        for number in range(256):
            name = f"emu{number}"
            try:
                self._out("ip", "link", "add", name, "type", "veth", "peer", "name", f"{name}p")
            except RuntimeError as error:
                if "exists" in str(error):
                    continue
                raise
            return number
        raise RuntimeError("no number from 0 to 255 is free: are that many emulators running?")

    def _out(self, *argv: str) -> None:
        run("nsenter", f"--net=/proc/{os.getpid()}/fd/{self._outside_ns}", *argv)

    def _enter(self, folder: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.unshare(_CLONE_NEWNET | _CLONE_NEWNS) or libc.mount(
            b"none", b"/", None, _MS_REC_PRIVATE, None
        ):
            raise OSError(ctypes.get_errno(), "cannot enter namespaces of its own")
        disks = folder / "disks"
        disks.mkdir()
        run("mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", str(disks))
        name, inside = f"emu{self.number}", f"emu{self.number}p"
        self._out("ip", "link", "set", inside, "netns", str(os.getpid()))
        self._out("ip", "addr", "add", f"{self.outside}/30", "dev", name)
        self._out("ip", "link", "set", name, "up")
        run("ip", "link", "set", "lo", "up")
        run("ip", "addr", "add", f"198.19.{self.number}.2/30", "dev", inside)
        run("ip", "link", "set", inside, "up")
        run("ip", "addr", "add", f"{METADATA}/32", "dev", "lo")
        self._out("ip", "route", "add", f"198.18.{self.number}.0/24", "via", f"198.19.{self.number}.2")
        Path("/proc/sys/net/ipv4/ip_forward").write_text("1")

    def private(self, address: str) -> str:
        """The address that a machine has: the subnet's own."""
        return address

    def in_subnet(self, address: str, cidr: str) -> str:
        return address

    def new_public(self) -> str:
        """A public address; the outside has a route to all of them."""
        with self._lock:
            while (public := next(self._fresh)) in self._published:
                pass
            return public

    def gateway(self, cidr: str) -> str:
        """The subnet's router, where the emulator answers, too."""
        return str(ipaddress.ip_network(cidr).network_address + 1)

    def attach(self, pid: int, machine: str, address: str, cidr: str) -> None:
        """Give the network namespace of ``pid`` a cable into its subnet."""
        gateway, length = self.gateway(cidr), cidr.split("/")[1]
        with self._lock:
            if cidr not in self._bridges:
                bridge = self._bridges[cidr] = f"br{len(self._bridges)}"
                run("ip", "link", "add", bridge, "type", "bridge")
                run("ip", "addr", "add", f"{gateway}/{length}", "dev", bridge)
                run("ip", "link", "set", bridge, "up")
                if gateway not in self._answered:  # a socket survives its address and serves it again
                    self._listen(gateway, self.port)
                    self._answered.add(gateway)
        cable = f"v{machine[-11:]}"
        with contextlib.suppress(RuntimeError):  # of the machine's earlier life
            run("ip", "link", "del", cable)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
        run("ip", "link", "set", cable, "master", self._bridges[cidr], "up")
        inside = f"ip addr add {address}/{length} dev eth0; ip link set eth0 up; ip route add default via {gateway}"
        run("nsenter", "-t", str(pid), "-n", "sh", "-ec", inside)

    def shut(self, pid: int, rules: str) -> None:
        """Put packet filter rules into the network namespace of ``pid``."""
        run("nsenter", "-t", str(pid), "-n", "nft", "-f", "-", text=rules)

    def publish(self, public: str, private: str, ports: Iterable[int], pid: int = 0) -> None:
        """Lead a public address to a machine."""
        with self._lock:
            self._published[public] = (private, pid)
            self._translate()

    def unpublish(self, public: str) -> None:
        with self._lock:
            if self._published.pop(public, None):
                self._translate()

    def _translate(self) -> None:
        if not self.enforces_groups:  # no nft: the machine itself has its public address
            for public, (private, pid) in self._published.items():
                if pid:
                    run(
                        "nsenter",
                        "-t",
                        str(pid),
                        "-n",
                        "ip",
                        "addr",
                        "replace",
                        f"{public}/32",
                        "dev",
                        "eth0",
                    )
                    run("ip", "route", "replace", f"{public}/32", "via", private)
            return
        rules = "\n".join(
            f"ip daddr {public} dnat to {private}" for public, (private, _) in self._published.items()
        )
        run(
            "nft",
            "-f",
            "-",
            text=f"table ip public\nflush table ip public\ntable ip public {{\n"
            f"chain to {{\ntype nat hook prerouting priority -100\n{rules}\n}}\n"
            # A machine that asks another one's public address must get the answer by the same way back.
            f"chain back {{\ntype nat hook postrouting priority 100\n"
            f"ip saddr != 198.19.0.0/16 ct status dnat masquerade\n}}\n}}\n",
        )

    def forget(self) -> None:
        """Nothing is published, no subnet exists any more."""
        with self._lock:
            self._published.clear()
            if self.enforces_groups:
                self._translate()
            for bridge in self._bridges.values():
                run("ip", "addr", "flush", "dev", bridge)
                run("ip", "link", "del", bridge)
            self._bridges.clear()

    def close(self) -> None:
        self.forget()
        with contextlib.suppress(RuntimeError):
            self._out("ip", "link", "del", f"emu{self.number}")
        os.close(self._outside_ns)
