"""The account whose machines are given body: an application on the emulator, and clusters as they are launched."""

import base64
import contextlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.application.steps import User
from tests.aws.boot import seeds
from tests.aws.boot.bodies import Body, NotWell, until
from tests.aws.boot.root import Root
from tests.aws.boot.seeds import Seed
from tests.emulator import Emulator
from tests.emulator.asking import Account
from tests.emulator.calls import ACCOUNT, REGION
from workbench.aws import names
from workbench.settings import PROJECT

BUCKET = names.bucket(ACCOUNT, REGION)
IDLE_MINUTES = 4
LINGER_MINUTES = 1
"""Of a machine that cannot go on, before it ends; long enough for a look at it, elsewhere."""


@dataclass
class Estate:
    """The application's instances by role, and how to make more."""

    emulator: Emulator
    folder: Path
    root: Root
    body: type[Body]
    roles: Mapping[str, str]

    @property
    def environ(self) -> dict[str, str]:
        home = str(self.folder / "home")
        return {**os.environ, **self.emulator.environ, "WORKBENCH_HOME": home}

    @property
    def aws(self) -> Account:
        return Account(self.emulator)

    @contextlib.contextmanager
    def machine(
        self, instance: str, memory_mb: int, troubles: Sequence[str] = ()
    ) -> Iterator[tuple[Body, Seed]]:
        """Have this instance run in truth while this lasts."""
        told = self.aws.ec2.describe_instance_attribute(InstanceId=instance, Attribute="userData")
        text = base64.b64decode(told["UserData"]["Value"]).decode()
        with seeds.served(self.emulator.port, instance, text, troubles) as seed:
            environ = {**seed.environ, "LINGER": str(LINGER_MINUTES)}
            with self.body(self.folder / instance, self.root, memory_mb, seed.url, environ) as machine:
                yield machine, seed

    def told(self, instance: str) -> tuple[str, str]:
        """State and message that a machine of the application has left in the bucket."""
        told = json.loads(self.read(names.machine_key("workbench", instance)) or "{}")
        return str(told.get("state", "")), str(told.get("message", ""))

    def forget(self, instance: str) -> None:
        """Remove what it has told; so does a start."""
        self.aws.s3.delete_object(Bucket=BUCKET, Key=names.machine_key("workbench", instance))

    def read(self, key: str) -> str:
        """An object of the bucket; empty where there is none."""
        try:
            return str(self.aws.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read().decode())
        except self.aws.s3.exceptions.NoSuchKey:
            return ""

    @contextlib.contextmanager
    def cluster(self, name: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
        """Launch a standing cluster of one worker: its instance, and the command, which waits for it."""
        nothing = names.machine_key("nobody", "{id}")
        self.emulator.pretend("cluster", [name], BUCKET, nothing, "")  # nothing but the true machine acts
        command = [sys.executable, "-m", "workbench.cli", "launch", "cluster", "--provider", "aws"]
        with (self.folder / f"{name}.out").open("w") as out:
            launch = subprocess.Popen(
                [*command, "--name", name, "--workers", "1"],
                cwd=PROJECT,
                env=self.environ,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                text=True,
            )
        try:

            def made() -> str:
                if launch.poll() is not None:
                    raise NotWell(f"the launch ended: {(self.folder / f'{name}.out').read_text()[-1500:]}")
                found = self.emulator.instances().items()
                return next((id for id, one in found if one["tags"].get("cluster") == name), "")

            yield until(made, 120, f"an instance of {name}"), launch
        finally:
            if launch.poll() is None:
                launch.send_signal(signal.SIGKILL)
            launch.wait()

    def why_boot_failed(self, name: str, instance: str) -> str:
        """What a cluster's machine has left in the bucket about a first boot that failed."""
        pages = self.aws.s3.list_objects_v2(Bucket=BUCKET, Prefix="clusters/").get("Contents", [])
        ends = f"/{name}/boot/{instance}"
        return next((self.read(one["Key"]) for one in pages if one["Key"].endswith(ends)), "")


@contextlib.contextmanager
def launched(folder: Path, root: Root, body: type[Body]) -> Iterator[Estate]:
    """Have the application launched on an emulator whose machines do nothing."""
    with Emulator(folder / "emulator", "proc", minute_s=1) as emulator:
        user = _Idle(emulator, folder / "home")
        user.prepare()
        outcome = user.launch()
        if outcome.code:
            raise NotWell(f"the application cannot be launched: {outcome.said[-1500:]}")
        roles = {
            one["tags"]["role"]: id
            for id, one in emulator.instances().items()
            if "cluster" not in one["tags"] and "role" in one["tags"]
        }
        estate = Estate(emulator, folder, root, body, roles)
        for instance in roles.values():
            estate.forget(instance)
        yield estate


class _Idle(User):
    """One whose working machine ends itself soon."""

    @property
    def environ(self) -> dict[str, str]:
        return {**super().environ, "WORKBENCH_AWS_WORKING_IDLE_MINUTES": str(IDLE_MINUTES)}
