"""One machine that really runs: shut in by namespaces, or a folder and an address of its own."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from tests.emulator.network import Loopback, Namespaces
from workbench.services.environment import network as network_of
from workbench.settings import PROJECT

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
MACHINE_ROOT = "/opt/workbench"
WHEELS = "EMULATOR_WHEELS"
"""The variable that names a folder of wheels: all that the machines' uv finds."""
SHUTDOWN = """#!/bin/sh
# shutdown [-h|-P|-r] now|+MINUTES, shutdown -c
case "$0" in */poweroff|*/halt) set -- now;; esac
minutes=1
for word; do
    case $word in
        -c) [ -e {state}/timer ] && kill "$(cat {state}/timer)" 2>/dev/null; exit 0;;
        now) minutes=0;;
        +*) minutes=${{word#+}};;
    esac
done
setsid sh -c 'echo $$ >{state}/timer; sleep "$1"; kill -TERM {init}' - "$(expr $minutes '*' {minute_s})" \\
    >/dev/null 2>&1 </dev/null &
"""
INIT = 'trap "exit 0" TERM; echo up >"$1/up"; while :; do sleep 3600 & wait $!; done'
BOOT = r"""set -e
disk=$1 name=$2 address=$3 bind=$4
mkdir -p "$disk/upper" "$disk/work" "$disk/root"
cd "$disk"
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work$5" root
for path in $bind; do mkdir -p "root$path"; mount --rbind "$path" "root$path"; done
mount -t proc proc root/proc
mount --rbind /dev root/dev
mount -t tmpfs -o mode=1777 tmpfs root/dev/shm
mount -t tmpfs tmpfs root/run
case $6 in /tmp/*) ;; *) mount -t tmpfs -o mode=1777 tmpfs root/tmp;; esac
mount --rbind /sys root/sys
chmod o+x root/root # Python may lie below it, and a machine's work runs as a user of its own
hostname "$name"
ip link set lo up
rm -f root/etc/resolv.conf
echo 'options timeout:1 attempts:1' >root/etc/resolv.conf
printf '127.0.0.1 localhost\n%s %s %s.ec2.internal\n' "$address" "$name" "$name" >root/etc/hosts
exec chroot root /bin/sh -c "$7" - /run
"""


class Sandbox:
    """What both kinds of machines have in common: processes, commands and scripts at boot."""

    def __init__(self, folder: Path, machine: str, address: str, mark: str, minute_s: int) -> None:
        self.folder = folder / machine
        self.machine = machine
        self.address = address
        self.mark = mark
        self.minute_s = minute_s
        self.init: subprocess.Popen[bytes] | subprocess.Popen[str] | None = None
        self.environ: dict[str, str] = {}
        """What whoever runs in it has in the environment, besides what ``popen`` gives."""
        self.way_out: dict[str, str] = {}
        """What leads to an index of packages where no folder of wheels stands for one."""
        self.commands: dict[str, subprocess.Popen[str]] = {}
        self.folder.mkdir(parents=True, exist_ok=True)

    @property
    def root(self) -> Path:
        """The machine's ``/`` as it is seen from outside; only while it runs in ``ns`` mode."""
        raise NotImplementedError

    @property
    def machine_root(self) -> str:
        """``WORKBENCH_MACHINE_ROOT`` as the machine sees it."""
        raise NotImplementedError

    def up(self) -> None:
        """Switch it on.

        Raises
        ------
        RuntimeError
            The system does not allow it.
        """
        raise NotImplementedError

    def down(self) -> None:
        """Switch it off: no process of it is left. Its disk stays."""
        raise NotImplementedError

    def remove(self) -> None:
        """The disk goes, the log of the first boot stays."""
        raise NotImplementedError

    def argv(self, argv: list[str]) -> list[str]:
        """The command line that runs ``argv`` inside."""
        raise NotImplementedError

    def popen(self, argv: list[str], **options: object) -> subprocess.Popen[str]:
        """Start a command inside, as root there."""
        own = {"INSTANCE_ID": self.machine, "PRIVATE_IP": self.address, "LANG": "C.UTF-8"}
        if notice := os.environ.get("WORKBENCH_NOTICE"):  # of a demonstration: its pages say it, too
            own["WORKBENCH_NOTICE"] = notice
        if os.environ.get(WHEELS):
            own |= {
                "UV_FIND_LINKS": f"{self.machine_root}/wheels",
                "UV_DEFAULT_INDEX": f"file://{self.machine_root}/simple",
            }
        else:
            own |= self.way_out
        environ = {"PATH": self.path, **own, "WORKBENCH_MACHINE_ROOT": self.machine_root, **self.environ}
        return subprocess.Popen(  # type: ignore[call-overload, no-any-return]
            self.argv(argv),
            env={**environ, "HOME": self.home, "EMULATOR": self.mark},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            text=True,
            errors="replace",
            **{"cwd": self.cwd, **options},
        )

    path = PATH
    home = "/root"
    cwd = "/"

    def run_script(self, script: str) -> int:
        """Run a script of the machine at boot, as cloud-init would; its words go to the log."""
        with (self.folder / "cloud-init-output.log").open("ab") as log:
            return self.popen(["/bin/sh", "-c", f"exec {script}"], stdout=log, stderr=log).wait()

    def kill_commands(self) -> None:
        for process in list(self.commands.values()):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)

    def _write_program(self, path: Path, text: str) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        path.chmod(0o755)

    def _wait_until_up(self, sign: Path) -> None:
        assert self.init is not None
        for _ in range(1500):
            if sign.exists():
                return
            if self.init.poll() is not None:
                break
            time.sleep(0.01)
        said = (self.folder / "boot.log").read_text(errors="replace").strip()
        raise RuntimeError(f"the machine {self.machine} did not start: {said}")


class FolderSandbox(Sandbox):
    """``proc`` mode: a folder, a loopback address, processes that a mark in their environment tells apart."""

    def __init__(self, network: Loopback, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.disk = self.folder / "disk"
        self.path = f"{self.disk / 'bin'}:{PATH}"
        self.home = self.cwd = str(self.disk)
        self.way_out = network_of(
            os.environ
        )  # its network is this computer's, whose certificates and index lead out

    @property
    def root(self) -> Path:
        return self.disk

    @property
    def machine_root(self) -> str:
        return f"{self.disk}{MACHINE_ROOT}"

    def argv(self, argv: list[str]) -> list[str]:
        return argv

    def up(self) -> None:
        _make_golden(Path(self.machine_root))
        state = self.folder / "state"
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir()
        with (self.folder / "boot.log").open("wb") as log:
            init = self.popen(["/bin/sh", "-c", INIT, "-", str(state)], stdout=log, stderr=log)
        self.init = init
        self._wait_until_up(state / "up")
        for name in ("shutdown", "poweroff"):
            text = SHUTDOWN.format(state=state, init=init.pid, minute_s=self.minute_s)
            self._write_program(self.disk / "bin" / name, text)

    def down(self) -> None:
        self.kill_commands()
        if self.init and self.init.poll() is None:
            self.init.kill()
            self.init.wait()
        for _ in range(200):  # one that was just forking may have escaped the first look
            pids = [pid for pid, text in _processes() if self._is_ours(text)]
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.005)

    def _is_ours(self, text: bytes) -> bool:
        # A process with a clean environment is known by what it was told to run: the machine's own files.
        return f"\0INSTANCE_ID={self.machine}\0".encode() in text or f"{self.disk}/".encode() in text

    def remove(self) -> None:
        shutil.rmtree(self.disk, ignore_errors=True)


def _processes() -> list[tuple[int, bytes]]:
    """Each process that has not ended, and its command line and environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        if int(folder.name) == os.getpid():
            continue
        with contextlib.suppress(OSError):
            text = (folder / "cmdline").read_bytes()
            with contextlib.suppress(PermissionError):
                text += b"\0" + (folder / "environ").read_bytes()
            if text:
                found.append((int(folder.name), text))
    return found


class NamespaceSandbox(Sandbox):
    """``ns`` mode: an own root over the system's, own processes and an address of the subnet."""

    def __init__(self, network: Namespaces, cidr: str, *args: object) -> None:
        super().__init__(*args)  # type: ignore[arg-type]
        self.network = network
        self.cidr = cidr
        self.disk = self.folder.parent / "disks" / self.machine
        self.pid = 0

    machine_root = MACHINE_ROOT

    @property
    def root(self) -> Path:
        return Path("/proc", str(self.pid), "root")

    def argv(self, argv: list[str]) -> list[str]:
        return ["nsenter", "-t", str(self.pid), *["-m", "-n", "-p", "-u", "-i", "-r", "-w"], *argv]

    def up(self) -> None:
        upper = self.disk / "upper"
        _make_golden(Path(f"{upper}{MACHINE_ROOT}"))
        for name in ("shutdown", "poweroff"):
            text = SHUTDOWN.format(state="/run", init=1, minute_s=self.minute_s)
            self._write_program(upper / "usr/local/sbin" / name, text)
        name = "ip-" + self.address.replace(".", "-")
        boot = [
            str(self.disk),
            name,
            self.address,
            " ".join(_other_mounts()),
            _overlay_option(),
            str(PROJECT),
        ]
        unshare = [
            *[
                "unshare",
                "-m",
                "-n",
                "-p",
                "-u",
                "-i",
                "--fork",
                "--kill-child",
                "--propagation",
                "private",
                "sh",
                "-c",
            ],
            BOOT,
        ]
        with (self.folder / "boot.log").open("wb") as log:
            self.init = subprocess.Popen(
                [*unshare, "-", *boot, INIT],
                env={"PATH": PATH, "EMULATOR": self.mark, "LANG": "C.UTF-8"},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait_until_up(_first_child(self.init) / "root/run/up")
        self.pid = int(_first_child(self.init).name)
        self.network.attach(self.pid, self.machine, self.address, self.cidr)

    def down(self) -> None:
        self.kill_commands()
        if self.init and self.init.poll() is None:
            self.init.kill()  # --kill-child: the first process goes, and with it all of the namespace
            self.init.wait()
        self.pid = 0

    def remove(self) -> None:
        shutil.rmtree(self.disk, ignore_errors=True)


def _make_golden(machine_root: Path) -> None:
    """What a golden image has: the Python environment, so that no machine installs one, and wheels in place of an index."""
    (machine_root / "per-boot").mkdir(parents=True, exist_ok=True)
    if (wheels := os.environ.get(WHEELS)) and not (machine_root / "wheels").is_dir():
        shutil.copytree(wheels, machine_root / "wheels")
        (machine_root / "simple").mkdir()
    if not (machine_root / "env").is_symlink():
        (machine_root / "env").symlink_to(sys.prefix)


def _first_child(process: subprocess.Popen[bytes]) -> Path:
    """``/proc/PID`` of the process that ``unshare`` forked."""
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    for _ in range(500):
        if process.poll() is not None:
            break
        if words := children.read_text().split():
            return Path("/proc", words[0])
        time.sleep(0.01)
    return Path("/proc/0")


def _other_mounts() -> list[str]:
    """What a machine needs and the overlay over ``/`` would not show: it is on another disk."""
    wanted = {str(PROJECT), sys.prefix, sys.base_prefix}
    return [path for path in sorted(wanted) if Path(path).stat().st_dev != Path("/").stat().st_dev]


def _overlay_option() -> str:
    """Within a user namespace overlays keep their marks in the user's extended attributes."""
    return "" if Path("/proc/self/uid_map").read_text().split()[2] == "4294967295" else ",userxattr"


def namespaces_work() -> str | None:
    """Why ``ns`` mode cannot be had here; ``None`` where it can."""
    if os.geteuid() != 0:
        return "not root"
    for tool in ("ip", "unshare", "nsenter", "mount"):
        if not shutil.which(tool):
            return f"no {tool}"
    trial = (
        "mount -t tmpfs tmpfs /mnt && cd /mnt && mkdir u w r && "
        f"mount -t overlay overlay -o lowerdir=/,upperdir=/mnt/u,workdir=/mnt/w{_overlay_option()} r && "
        "mount -t proc proc r/proc && ip link add emutry type veth peer name emutryp"
    )
    unshare = "unshare -m -n -p -u -i --fork --kill-child --propagation private sh -c"
    done = subprocess.run([*unshare.split(), trial], capture_output=True, text=True, check=False)
    return done.stderr.strip() or "namespaces are not allowed" if done.returncode else None
