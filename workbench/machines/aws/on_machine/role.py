"""The process that does a role's work on a machine: begun as an unprivileged user, ended with all that it began."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import psutil

from workbench.errors import Unavailable
from workbench.machines import Place, machine_folder
from workbench.machines.aws.exchange.machine import ROOT, USER
from workbench.system import untrusted_changes
from workbench.system.waiting import comes_true

METADATA = "169.254.169.254"
GRACE_S = 2.0
BEGIN = (
    "import ctypes, faulthandler, runpy, signal, sys\n"
    "ctypes.CDLL(None).prctl(1, signal.SIGKILL)\n"  # PR_SET_PDEATHSIG: it ends with its agent
    "faulthandler.enable(); faulthandler.register(signal.SIGUSR1)\n"  # a silent machine is asked where it is
    "sys.argv = sys.argv[1:]\n"
    "runpy.run_module(sys.argv[0], run_name='__main__', alter_sys=True)\n"
)


def begin(root: Path, node: str, folder: Path, place: Place) -> "subprocess.Popen[bytes]":
    """Begin the role in the job of the folder; what it prints is added to its logs there."""
    own = machine_folder(Path(), place)
    untrusted_changes.make_folder(folder, str(own / "tmp"))
    alone = is_alone(root)
    if alone:
        with contextlib.suppress(
            OSError
        ):  # nested without end: then its code has made that, and has it already
            untrusted_changes.give(folder, USER)
    python = root / "env" / "bin" / "python"
    with contextlib.ExitStack() as stack:
        outputs = []
        for name in ("stdout.log", "stderr.log"):
            outputs.append(untrusted_changes.open_to_add(folder, str(own / name)))
            stack.callback(os.close, outputs[-1])
        process = subprocess.Popen(
            [str(python), "-c", BEGIN, node, str(folder), place.role, str(place.index)],
            stdin=subprocess.DEVNULL,
            stdout=outputs[0],
            stderr=outputs[1],
            cwd=folder / own,
            env=environment(root, folder, place),
            start_new_session=True,
            user=USER if alone else None,
            group=USER if alone else None,
            extra_groups=[] if alone else None,
        )
    with contextlib.suppress(OSError):  # where memory runs out the kernel ends the work, not the agent
        Path(f"/proc/{process.pid}/oom_score_adj").write_text("600")
    return process


def environment(root: Path, folder: Path, place: Place) -> Mapping[str, str]:
    """The whole environment of whoever works: nothing of AWS in it."""
    own = machine_folder(folder, place)
    return {
        "PATH": f"{root / 'env' / 'bin'}:/usr/local/bin:/usr/bin:/bin",
        "HOME": str(own),
        "TMPDIR": str(own / "tmp"),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(root / "code"),
        "PYTHONUNBUFFERED": "1",
        "PYTHONDONTWRITEBYTECODE": "1",
        "WORKBENCH_HOME": str(root / "home"),
    }


def is_alone(root: Path) -> bool:
    """True if the whole machine is ours, so that work has a user of its own."""
    return os.geteuid() == 0 and root == ROOT


def end(root: Path, process: "subprocess.Popen[bytes]") -> int:
    """End the process and everything that it began; give its exit code. One that has ended is fine."""
    below: list[psutil.Process] = []
    with contextlib.suppress(psutil.Error):
        below = psutil.Process(process.pid).children(recursive=True)
    if process.poll() is None:
        _signal(process.pid, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(GRACE_S)
    _signal(process.pid, signal.SIGKILL)
    for child in below:
        with contextlib.suppress(psutil.Error):
            child.kill()
    end_all_of_user(root)
    return process.wait(10)


def end_all_of_user(root: Path) -> None:
    """Kill what hid from its parent."""
    if not is_alone(root):
        return

    def none_left() -> bool:
        left = [p for p in psutil.process_iter(["uids"]) if p.info["uids"] and p.info["uids"].real == USER]
        left = [p for p in left if p.status() != psutil.STATUS_ZOMBIE]
        for one in left:
            with contextlib.suppress(psutil.Error):
                one.kill()
        return not left

    comes_true(none_left, 1.0, 0.02)


def _signal(group: int, number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def shut_out_of_metadata(root: Path) -> bool:
    """Let the unprivileged user not ask the metadata service for the machine's credentials; whether that is done.

    Raises
    ------
    Unavailable
        This is an EC2 instance, and its packet filter takes no rule.
    """
    if not is_alone(root):
        return False
    rules = []
    if nft := shutil.which("nft"):
        table = (
            f"table ip workbench {{ chain out {{ type filter hook output priority 0; "
            f"meta skuid {USER} ip daddr {METADATA} reject; }}; }}"
        )
        rules.append([nft, f"add table ip workbench; delete table ip workbench; {table}"])
    if iptables := shutil.which("iptables"):
        rule = ["OUTPUT", "-d", METADATA, "-m", "owner", "--uid-owner", str(USER), "-j", "REJECT"]
        rules.append([iptables, "-I", *rule])
    said = "it has neither nft nor iptables"
    for rule in rules:
        done = subprocess.run(rule, capture_output=True, text=True, check=False)
        if done.returncode == 0:
            return True
        said = done.stderr.strip()
    if _is_ec2():
        raise Unavailable(f"recipes could read this machine's AWS credentials: {said}")
    return False


def _is_ec2() -> bool:
    with contextlib.suppress(OSError):
        return "amazon" in Path("/sys/class/dmi/id/sys_vendor").read_text().lower()
    return False
