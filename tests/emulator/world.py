"""The region: its machines, and what is done to them as EC2 changes their state."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.emulator import groups
from tests.emulator.faults import Faults
from tests.emulator.network import Loopback, Namespaces
from tests.emulator.sandboxes import FolderSandbox, NamespaceSandbox, Sandbox

PER_BOOT = """for script in "$WORKBENCH_MACHINE_ROOT"/per-boot/* /var/lib/cloud/scripts/per-boot/*; do
    [ -x "$script" ] && "$script"
done; exit 0"""
STATES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}


class Machine:
    """An instance of EC2 and what runs in its place."""

    def __init__(self, world: "World", instance: Any, sandbox: Sandbox | None) -> None:
        self.world = world
        self.instance = instance
        self.sandbox = sandbox
        self.online = threading.Event()
        """Set while it runs and its agent would answer."""
        self.error: str | None = None
        self.booted = 0
        self.notice: str | None = None
        """When AWS will take a spot instance back, as the metadata say it."""
        self._lock = threading.RLock()
        self._rules = ""

    @property
    def state(self) -> str:
        return str(self.instance._state.name)

    def become(self, state: str) -> None:
        self.instance._state.name, self.instance._state.code = state, STATES[state]

    def boot(self) -> None:
        """From pending to running, then the scripts of the boot."""
        with self._lock:
            if self.state != "pending":
                return  # it was stopped or terminated before it came up
            if self.sandbox:
                try:
                    self.sandbox.environ = self.world.environment(self)
                    self.sandbox.up()
                    self.shut()
                    self.world.publish(self)
                except (RuntimeError, OSError) as error:
                    self.error = str(error)
                    self.world.complain(f"{self.instance.id}: {error}")
                    self._end("terminated", "Server.InternalError: the emulator could not start it")
                    return
                threading.Thread(target=self._watch, args=(self.sandbox.init,), daemon=True).start()
            if self.state != "pending":
                return  # it was stopped or terminated meanwhile, and whoever did so waits for the lock
            self.booted += 1
            self.become("running")
            self.online.set()
        if self.sandbox:
            try:
                self._run_scripts(self.sandbox, self.booted)
            except FileNotFoundError:
                if self.state == "running":
                    raise
                # Else it was switched off meanwhile, and its folder went with it.

    def _pretend(self) -> bool:
        """Do what was told in place of the scripts; whether something was told."""
        tags = self.instance.ec2_backend.tags.get(self.instance.id, {})
        for told in self.world.pretences:
            if tags.get(told["tag"]) in told["values"]:
                key, body = told["key"].replace("{id}", self.instance.id), told["body"].encode()
                self.world.put_object(told["bucket"], key, body)
                return True
        return False

    def _run_scripts(self, sandbox: Sandbox, boot: int) -> None:
        if self._pretend():
            return
        sandbox.run_script(f"sh -c '{PER_BOOT}'")
        text = self.instance.user_data.decode() if self.instance.user_data else ""
        if boot > 1 or not text.startswith("#!") or self.booted != boot:
            return
        path = "/var/lib/cloud/user-data" if isinstance(sandbox, NamespaceSandbox) else "user-data"
        sandbox._write_program(Path(f"{sandbox.root}/{path}"), text)
        sandbox.run_script(path if path.startswith("/") else f"./{path}")

    def _watch(self, init: Any) -> None:
        init.wait()
        with self._lock:
            if (
                self.sandbox and self.sandbox.init is init and self.state == "running"
            ):  # shut down from inside
                wanted = self.instance.instance_initiated_shutdown_behavior
                (self.instance.terminate if wanted == "terminate" else self.instance.stop)()

    def halt(self, state: str) -> None:
        """Switch it off, in the background: ``stopping`` or ``shutting-down`` until it is."""
        self.online.clear()
        self.become("shutting-down" if state == "terminated" else "stopping")
        self.world.pool.submit(self._halt, state)

    def _halt(self, state: str) -> None:
        with self._lock:
            if self.state in ("shutting-down", "stopping"):
                self._end(state)

    def _end(self, state: str, reason: str = "") -> None:
        self.online.clear()
        if self.sandbox:
            self.sandbox.down()
            if state == "terminated":
                self.sandbox.remove()
        self.become(state)
        if reason:
            self.instance._reason = reason

    def restart(self) -> None:
        """Off and on again, with the same state to be seen."""
        self.world.pool.submit(self._restart)

    def _restart(self) -> None:
        with self._lock:
            if self.state != "running":
                return
            self._end("pending")
        self.boot()

    def shut(self) -> None:
        """Let in what the security groups allow."""
        network = self.world.network
        if (
            not isinstance(network, Namespaces)
            or not network.enforces_groups
            or not isinstance(self.sandbox, NamespaceSandbox)
            or not self.sandbox.pid
        ):
            return
        others = [m.instance for m in self.world.machines.values() if m.state not in ("terminated",)]
        text = groups.rules(self.instance, others)
        if text != self._rules or not self.online.is_set():
            network.shut(self.sandbox.pid, text)
            self._rules = text


class World:
    """Everything behind the API that is not moto's."""

    def __init__(
        self, folder: Path, network: Loopback | Namespaces, *, boot: bool, minute_s: int, mark: str
    ) -> None:
        self.folder = folder
        self.network = network
        self.boots = boot
        self.minute_s = minute_s
        self.mark = mark
        self.port = 0
        self.lock = threading.RLock()
        """Whoever changes moto's models has it: they know nothing of threads."""
        self.faults = Faults()
        self.put_object: Callable[[str, str, bytes], None] = lambda *_: None
        self.pool = ThreadPoolExecutor(48, thread_name_prefix="machine")
        self.machines: dict[str, Machine] = {}
        self.strangers: set[str] = set()
        """Buckets that another account owns and has opened to everybody."""
        self.withheld: dict[str, set[str]] = {}
        """Type → zones that have no such machines; ``*``: all."""
        self.deaf: set[str] = set()
        """Instances to which no command is delivered, though their agent was seen."""
        self.has_spot_role = False
        """A new account lacks the service-linked role with which EC2 makes spot machines."""
        self.vcpus = 1152
        """The quota of vCPUs that run at a time."""
        self.gpu_vcpus = 0
        """That of the types with GPUs, of which a new account has none."""
        self.tokens: dict[str, tuple[str, Any]] = {}
        """What ``RunInstances`` gave for each ``ClientToken``, and what it was asked."""
        self.pretences: list[dict[str, Any]] = []
        """What some machines put into a bucket in place of running the scripts of their boot."""
        self.complaints: list[str] = []

    @property
    def mode(self) -> str:
        return "ns" if isinstance(self.network, Namespaces) else "proc"

    def complain(self, words: str) -> None:
        """What the emulator itself could not do: a test's end looks at it."""
        self.complaints.append(words)

    def add(self, instance: Any) -> Machine:
        """Make a machine for an instance that EC2 has just made, and start it."""
        sandbox: Sandbox | None = None
        if self.boots:
            address, told = instance.private_ip, (self.folder, instance.id)
            rest = (*told, address, self.mark, self.minute_s)
            if isinstance(self.network, Namespaces):
                sandbox = NamespaceSandbox(self.network, str(instance.nics[0].subnet.cidr_block), *rest)
            else:
                sandbox = FolderSandbox(self.network, *rest)
        machine = self.machines[instance.id] = Machine(self, instance, sandbox)
        machine.become("pending")
        if sandbox:
            self.pool.submit(self._guarded, machine.boot)
        else:
            machine.boot()
        return machine

    def start(self, machine: Machine) -> None:
        machine.become("pending")
        self.pool.submit(self._guarded, machine.boot)

    def _guarded(self, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:
            self.complain(f"{work}: {error!r}")
            raise

    def environment(self, machine: Machine) -> dict[str, str]:
        """What leads a machine to this emulator; credentials it gets from its metadata, as on EC2."""
        if isinstance(self.network, Namespaces):
            gateway = self.network.gateway(str(machine.instance.nics[0].subnet.cidr_block))
            return {"AWS_ENDPOINT_URL": f"http://{gateway}:{self.port}"}
        here = f"http://127.0.0.1:{self.port}"
        return {
            "AWS_ENDPOINT_URL": here,
            "AWS_EC2_METADATA_SERVICE_ENDPOINT": f"{here}/emulator-metadata/{machine.instance.id}/",
        }

    def publish(self, machine: Machine) -> None:
        """Lead the public address of a machine to it."""
        public = machine.instance.public_ip
        if not public or not machine.sandbox:
            return
        ports = groups.open_ports(machine.instance)
        if isinstance(self.network, Namespaces):
            pid = machine.sandbox.pid if isinstance(machine.sandbox, NamespaceSandbox) else 0
            self.network.publish(public, machine.sandbox.address, ports, pid)
        else:
            self.network.publish(public, machine.sandbox.address, ports)

    def groups_changed(self) -> None:
        """Bring the packet filters of all machines up to date."""
        if not self.boots:
            return
        for machine in list(self.machines.values()):
            if machine.online.is_set():
                machine.shut()
                if self.mode == "proc":
                    self.publish(machine)

    def find_by_address(self, address: str) -> Machine | None:
        """The living machine with this private address."""
        return next(
            (
                m
                for m in self.machines.values()
                if m.instance.private_ip == address and m.state != "terminated"
            ),
            None,
        )

    def is_strangers(self, resource: str) -> bool:
        """True if the bucket of ``bucket/key`` is another account's."""
        return resource.partition("/")[0] in self.strangers

    def clear(self) -> None:
        """End every machine; none is left when this returns."""
        for machine in list(self.machines.values()):
            if machine.state not in ("terminated", "shutting-down"):
                machine.halt("terminated")
        until = time.monotonic() + 60
        while any(m.state != "terminated" for m in self.machines.values()) and time.monotonic() < until:
            time.sleep(0.005)
        self.machines.clear()
        self.tokens.clear()
        self.pretences.clear()
        self.network.forget()
        self.complaints.clear()
        self.strangers.clear()
        self.withheld.clear()
        self.deaf.clear()
        self.has_spot_role = False
        self.vcpus = 1152
        self.gpu_vcpus = 0
