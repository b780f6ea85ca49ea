"""A container with a systemd of its own, by systemd-nspawn: quick where there is no KVM; its kernel is this computer's.

Its memory does not run out, and what systemd does then is not seen in it; nor is what it writes to its console.
"""

import shutil
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from tests.aws.boot.bodies import Body, NotWell
from tests.aws.boot.seeds import GUEST, HOST

TOOLS = ("systemd-nspawn", "slirp4netns", "nsenter", "ip", "mount")
REBOOTS = 133
"""Code with which it asks to be begun again."""
CGROUPS = (Path("/sys/fs/cgroup/unified"), Path("/sys/fs/cgroup"))


@dataclass
class Contained(Body):
    """A machine of systemd-nspawn's, with a disk and a network of its own."""

    _network: "subprocess.Popen[bytes] | None" = field(default=None, init=False)
    shows_console = False
    counts_memory = False

    @property
    def _name(self) -> str:
        return self.folder.name[:20]

    @property
    def _tree(self) -> Path:
        return self.folder / "tree"

    @property
    def _group(self) -> Path:
        return next(g for g in CGROUPS if (g / "cgroup.controllers").exists()) / f"boot-{self._name}"

    def prepare(self) -> None:
        disk = self.folder / "disk.raw"
        subprocess.run(["cp", "--sparse=always", str(self.root.disk), str(disk)], check=True)
        self._tree.mkdir()
        subprocess.run(["mount", "-o", "loop", str(disk), str(self._tree)], check=True)
        self._group.mkdir()
        subprocess.run(["ip", "netns", "add", self._name], check=True)
        space = f"/run/netns/{self._name}"
        with (self.folder / "network.log").open("ab") as log:
            self._network = subprocess.Popen(
                ["slirp4netns", "--netns-type=path", "--mtu=1500", space, "eth0"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        within = ["ip", "netns", "exec", self._name, "sh", "-c"]
        ready = "until ip link show eth0 >/dev/null 2>&1; do sleep 0.1; done; ip link set lo up; ip link set eth0 up"
        routed = f"ip address add {GUEST}/24 dev eth0; ip route add default via {HOST}"
        subprocess.run([*within, f"{ready}; {routed}"], check=True, timeout=60)

    def on(self) -> None:
        command = ["systemd-nspawn", f"--directory={self._tree}", f"--machine={self._name}", "--quiet"]
        command += ["--register=no", "--keep-unit", "--console=pipe", "--resolv-conf=off", "--timezone=off"]
        command += [f"--network-namespace-path=/run/netns/{self._name}", "--capability=CAP_NET_ADMIN"]
        command += ["--boot", *self.kernel_line.split()]
        into = f'echo $$ >{self._group}/cgroup.procs; exec "$@"'
        with (self.folder / "console").open("ab") as console:
            self._process = subprocess.Popen(
                ["sh", "-c", into, "sh", *command],
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"},
            )

    @property
    def is_on(self) -> bool:
        if self._process is not None and self._process.poll() == REBOOTS:
            self.on()
        return super().is_on

    def clear(self) -> None:
        if self._network is not None:
            self._network.kill()
            self._network.wait()
        if self._group.exists():  # systemd-nspawn may have been ended without what it began
            (self._group / "cgroup.kill").write_text("1")
            give_up = time.monotonic() + 30
            while "populated 1" in (self._group / "cgroup.events").read_text() and time.monotonic() < give_up:
                time.sleep(0.05)
        for undo in (
            ["ip", "netns", "delete", self._name],
            ["umount", "-l", str(self._tree)],
        ):
            subprocess.run(undo, check=False, capture_output=True)
        for group in [*sorted(self._group.rglob("*/"), reverse=True), self._group]:
            if group.is_dir():
                subprocess.run(["rmdir", str(group)], check=False, capture_output=True)
        (self.folder / "disk.raw").unlink(missing_ok=True)

    def do(self, script: str, seconds: float = 60.0) -> tuple[int, str]:
        inside = ["nsenter", "-t", self.which_boot(), "-a", "/bin/sh", "-c", f"exec 2>&1\n{script}"]
        environ = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}
        try:
            done = subprocess.run(
                inside,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=seconds,
                env=environ,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise NotWell(f"a script takes more than {seconds} s: {script}") from error
        return done.returncode, done.stdout.decode(errors="replace")

    def hears(self) -> bool:
        try:
            return self.do("systemctl is-system-running; test -S /run/systemd/private")[0] == 0
        except NotWell:
            return False

    def which_boot(self) -> str:
        """The process id of its systemd, as this computer sees it."""
        if not self.is_on or self._process is None:
            raise NotWell(f"the machine is off; console: {self.console[-1500:]}")
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        try:
            found = children.read_text().split()
        except FileNotFoundError:
            found = []
        if not found:
            raise NotWell(f"the machine is off; console: {self.console[-1500:]}")
        return found[0]


def why_not() -> str:
    """Say why there are no such machines here; empty where there are."""
    if missing := [tool for tool in TOOLS if shutil.which(tool) is None]:
        return f"{', '.join(missing)} missing: apt-get install systemd-container slirp4netns iproute2 mount"
    return ""
