"""The emulator's process: moto in its midst, listeners, and an end when whoever started it ends."""

import contextlib
import datetime
import importlib
import io
import json
import logging
import os
import signal
import socket
import sys
import threading
import types
from pathlib import Path
from typing import Any

_UNUSED = [
    "apigateway",
    "batch",
    "datapipeline",
    "efs",
    "emr",
    "iot",
    "rds",
    "redshift",
    "sagemaker",
    "stepfunctions",
]
"""What moto's CloudFormation imports and nobody here uses: half of the time to start."""


def serve(folder: Path, mode: str, *, boot: bool, minute_s: int) -> None:
    """Run until standard input ends; the first line on standard output tells port and mode as JSON."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for whoever started it
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    # Opened before entering a namespace, it goes on telling of the connections outside.
    outside_tcp = io.TextIOWrapper(io.BufferedReader(io.FileIO("/proc/self/net/tcp")))
    servers = Servers(listener.getsockname()[1])
    network = _network(folder, mode, servers)  # before any thread
    _quieten()
    region = _make_region(folder, network, servers, outside_tcp, boot=boot, minute_s=minute_s)
    servers.add(listener)
    told = {"port": servers.port, "mode": region.world.mode, "pid": os.getpid(), "outside": network.outside}
    print(json.dumps(told | {"groups": network.enforces_groups}), flush=True)
    try:
        sys.stdin.buffer.read()
    finally:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        region.clear()
        network.close()
        os._exit(0)  # threads that wait for a client would hold the interpreter


class Servers:
    """One HTTP server an address, all with the same application."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.application: Any = None
        self.metadata: Any = None

    def add(self, listener: socket.socket, application: Any = None) -> None:
        """Answer on a listening socket."""
        from moto.moto_server.werkzeug_app import MotoRequestHandler
        from werkzeug.serving import make_server

        class Handler(MotoRequestHandler):
            def log_request(self, *args: Any) -> None:
                pass

        host, port = listener.getsockname()[:2]
        server = make_server(
            host,
            port,
            application or self.application,
            threaded=True,
            request_handler=Handler,
            fd=listener.detach(),
        )
        threading.Thread(target=server.serve_forever, daemon=True).start()

    def listen(self, host: str, port: int) -> None:
        self.add(socket.create_server((host, port), backlog=256))


def _network(folder: Path, mode: str, servers: Servers) -> Any:
    from tests.emulator.network import Loopback, Namespaces

    if mode == "proc":
        return Loopback()
    network = Namespaces(folder, servers.listen)
    network.port = servers.port
    return network


def _quieten() -> None:
    for name in _UNUSED:
        package, models = types.ModuleType(f"moto.{name}"), types.ModuleType(f"moto.{name}.models")
        package.models = models  # type: ignore[attr-defined]
        sys.modules[package.__name__], sys.modules[models.__name__] = package, models
    os.environ.update(MOTO_EC2_LOAD_DEFAULT_AMIS="true", MOTO_ALLOW_NONEXISTENT_REGION="false")
    os.environ.update(AWS_ACCESS_KEY_ID="emulator", AWS_SECRET_ACCESS_KEY="emulator")
    logging.getLogger("werkzeug").setLevel(logging.ERROR)


def _make_region(
    folder: Path, network: Any, servers: Servers, outside_tcp: io.TextIOBase, *, boot: bool, minute_s: int
) -> "Region":
    from tests.emulator.world import World

    world = World(folder, network, boot=boot, minute_s=minute_s, mark=f"{os.getpid()}")
    world.port = servers.port
    region = Region(world, outside_tcp)
    servers.application = region.front
    if world.mode == "ns":
        from tests.emulator.network import METADATA

        servers.add(socket.create_server((METADATA, 80), backlog=256), region.answer_metadata)
    return region


class Region:
    """Everything together: moto with its hooks, what stands before it, and the tests' levers."""

    def __init__(self, world: Any, outside_tcp: io.TextIOBase) -> None:
        stacks = importlib.import_module("tests.emulator.stacks")  # after _quieten: these import moto
        instances = importlib.import_module("tests.emulator.instances")
        commands = importlib.import_module("tests.emulator.commands")
        account = importlib.import_module("tests.emulator.account")
        front = importlib.import_module("tests.emulator.front")
        metadata = importlib.import_module("tests.emulator.metadata")
        roles = importlib.import_module("tests.emulator.roles")
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

        self.world = world
        instances.install(world)
        commands.install(world)
        self.roles = roles.Roles(world)
        self.account = account.Account(world, world.faults, self.roles)
        self.stacks = stacks.install(world, world.faults, world.lock, self.roles)
        self.metadata = metadata.Metadata(world)
        levers = {
            "instances": self.instances,
            "resources": self.account.resources,
            "reset": self.reset,
            "interrupt": self.interrupt,
            "quota": self.set_quota,
            "policy": self.roles.bind_owner,
            "withhold": self.withhold,
            "spend": lambda dollars: importlib.import_module("tests.emulator.budgets").spend(
                self.roles, dollars
            ),
            "an_hour_later": self.forget_ended,
            "deafen": world.deaf.add,
            "give_away": world.strangers.add,
            "pretend": world.pretences.append,
            "complaints": lambda _: world.complaints,
        }
        self.front = front.Front(
            world,
            DomainDispatcherApplication(create_backend_app),
            self.metadata,
            self.account.services,
            levers,
            outside_tcp,
            self.roles.refuses,
        )
        self.account.furnish()

    def answer_metadata(self, environ: dict[str, Any], start: Any) -> list[bytes]:
        status, headers, body = self.metadata(environ, None)
        start(status, headers)
        return [body]

    def instances(self, _: Any) -> dict[str, dict[str, Any]]:
        return {
            machine.instance.id: {
                "state": machine.state,
                "address": machine.instance.private_ip,
                "public": machine.instance.public_ip,
                "folder": str(machine.sandbox.folder) if machine.sandbox else "",
                "root": self._root(machine),
                "pid": machine.sandbox.init.pid if machine.sandbox and machine.sandbox.init else 0,
                "error": machine.error,
                "spot": machine.instance.lifecycle == "spot",
                "tags": dict(machine.instance.ec2_backend.tags.get(machine.instance.id, {})),
            }
            for machine in list(self.world.machines.values())
        }

    def _root(self, machine: Any) -> str:
        return str(machine.sandbox.root) if machine.sandbox and machine.state == "running" else ""

    def interrupt(self, told: dict[str, Any]) -> None:
        """AWS takes a spot instance back: first the notice, then the end."""
        machine = self.world.machines[told["id"]]
        notice_s = told["notice_s"]
        until = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=notice_s)
        machine.notice = json.dumps({"action": "terminate", "time": f"{until:%Y-%m-%dT%H:%M:%SZ}"})

        def end() -> None:
            from moto.ec2.models.instances import StateReason

            machine.instance.terminate()
            code = "Server.SpotInstanceTermination"
            machine.instance._reason = f"{code} ({until:%Y-%m-%d %H:%M:%S} GMT)"
            machine.instance.state_reason = StateReason(
                f"{code}: Instance terminated due to capacity or price", code
            )

        if notice_s:
            threading.Timer(notice_s, end).start()
        else:
            end()

    def set_quota(self, told: dict[str, int]) -> None:
        self.world.vcpus, self.world.gpu_vcpus = told["vcpus"], told["gpu_vcpus"]

    def forget_ended(self, _: Any) -> None:
        """Show ended instances no more, as EC2 does an hour after: asked for by id they are not found."""
        from moto.ec2.models import ec2_backends

        from tests.emulator.calls import ACCOUNT, REGION

        with self.world.lock:
            for reservation in ec2_backends[ACCOUNT][REGION].reservations.values():
                reservation.instances[:] = [i for i in reservation.instances if i._state.name != "terminated"]
            self.world.machines = {
                id: machine for id, machine in self.world.machines.items() if machine.state != "terminated"
            }

    def withhold(self, told: dict[str, Any]) -> None:
        self.world.withheld[told["type"]] = set(told["zones"])

    def clear(self) -> None:
        from moto.cloudformation.models import cloudformation_backends

        from tests.emulator.calls import ACCOUNT, REGION

        self.front.faults.set([])
        importlib.import_module("tests.emulator.budgets").BUDGETS.clear()
        self.front.rates.limit(False)
        self.roles.bind_owner(None)
        self.stacks.clear(cloudformation_backends[ACCOUNT][REGION])
        self.world.clear()

    def reset(self, _: Any) -> None:
        """A new account."""
        from moto.core.base_backend import BackendDict
        from moto.core.model_instances import reset_model_data

        self.clear()
        with self.world.lock:
            BackendDict.reset()
            reset_model_data()
            self.front.log.clear()
            self.account.furnish()
