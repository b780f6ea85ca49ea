"""A virtual machine, by QEMU: a kernel of its own, whose memory can run out; looked into through its guest agent."""

import base64
import json
import socket
import subprocess
import time
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.aws.boot.bodies import Body, NotWell

KVM_S = 15.0


@dataclass
class Virtual(Body):
    """A machine of QEMU's."""

    _agent: "socket.socket | None" = field(default=None, init=False)

    def prepare(self) -> None:
        disk = str(self.folder / "disk.qcow2")
        made = ["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", str(self.root.disk), disk]
        subprocess.run(made, check=True)

    def clear(self) -> None:
        self._hang_up()
        (self.folder / "disk.qcow2").unlink(missing_ok=True)

    def on(self) -> None:
        socket_path = self.folder / "agent"
        socket_path.unlink(missing_ok=True)
        asked = {
            "-accel": "kvm" if kvm_works(self.root.kernel) else "tcg,thread=multi",
            "-cpu": "max",
            "-smp": "2",
            "-m": str(self.memory_mb),
            "-kernel": str(self.root.kernel),
            "-initrd": str(self.root.initrd),
            "-append": f"root=LABEL=root rw console=ttyS0 panic=5 {self.kernel_line}",
            "-display": "none",
            "-nic": "user,model=virtio-net-pci",
            "-drive": f"file={self.folder / 'disk.qcow2'},if=virtio,cache=unsafe",
        }
        command = ["qemu-system-x86_64", "-nodefaults", "-sandbox", "on"]
        command += [word for pair in asked.items() for word in pair]
        command += ["-chardev", f"file,id=console,path={self.folder / 'console'},append=on"]
        command += ["-serial", "chardev:console", "-device", "virtio-serial", "-device", "virtio-rng-pci"]
        command += ["-chardev", f"socket,id=agent,path={socket_path},server=on,wait=off"]
        command += ["-device", "virtserialport,chardev=agent,name=org.qemu.guest_agent.0"]
        with (self.folder / "qemu.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self._hang_up()

    def do(self, script: str, seconds: float = 60.0) -> tuple[int, str]:
        asked = {"path": "/bin/sh", "arg": ["-c", f"exec 2>&1\n{script}"], "capture-output": True}
        pid = self._ask("guest-exec", asked)["pid"]
        give_up = time.monotonic() + seconds
        while not (told := self._ask("guest-exec-status", {"pid": pid}))["exited"]:
            if time.monotonic() > give_up:
                raise NotWell(f"a script takes more than {seconds} s: {script}")
            time.sleep(0.2)
        said = base64.b64decode(told.get("out-data", "")).decode(errors="replace")
        return int(told.get("exitcode", -int(told.get("signal", 1)))), said

    def hears(self) -> bool:
        try:
            self._ask("guest-ping", {}, 3.0)
        except (OSError, NotWell):
            self._hang_up()
            return False
        return True

    def which_boot(self) -> str:
        return self.say("cat /proc/sys/kernel/random/boot_id")

    def _hang_up(self) -> None:
        if self._agent is not None:
            self._agent.close()
        self._agent = None

    def _ask(self, what: str, arguments: dict[str, Any], seconds: float = 300.0) -> dict[str, Any]:
        if self._agent is None:
            self._agent = socket.socket(socket.AF_UNIX)
            self._agent.settimeout(seconds)
            self._agent.connect(str(self.folder / "agent"))
            mark = time.monotonic_ns()
            self._send({"execute": "guest-sync", "arguments": {"id": mark}})
            while self._read().get("return") != mark:
                pass
        self._agent.settimeout(seconds)
        self._send({"execute": what, "arguments": arguments})
        told = self._read()
        if "error" in told:
            raise NotWell(f"the machine's agent refuses {what}: {told['error']}")
        answer = told["return"]
        assert isinstance(answer, dict)
        return answer

    def _send(self, asked: dict[str, Any]) -> None:
        assert self._agent is not None
        self._agent.sendall(json.dumps(asked).encode() + b"\n")

    def _read(self) -> dict[str, Any]:
        assert self._agent is not None
        said = b""
        while not said.endswith(b"\n"):
            part = self._agent.recv(1 << 16)
            if not part:
                raise OSError("the machine's agent has gone")
            said += part
        told = json.loads(said.strip().splitlines()[-1].lstrip(b"\xff"))
        assert isinstance(told, dict)
        return told


@cache
def kvm_works(kernel: Path) -> bool:
    """True if a kernel's first words come by KVM; where there are machines in machines it may be there and do nothing."""
    asked = ["qemu-system-x86_64", "-nodefaults", "-display", "none", "-accel", "kvm", "-serial", "stdio"]
    asked += ["-kernel", str(kernel), "-append", "console=ttyS0 earlyprintk=ttyS0 panic=-1", "-no-reboot"]
    try:
        said = subprocess.run(
            asked, stdin=subprocess.DEVNULL, capture_output=True, timeout=KVM_S, check=False
        ).stdout
    except subprocess.TimeoutExpired as error:
        said = error.stdout or b""
    return b"Linux version" in said
