"""A test's handle on an emulator that runs in a process of its own."""

import json
import os
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tests.emulator import calls
from tests.emulator.calls import REGION, Call
from tests.emulator.faults import Fault, as_json
from tests.emulator.sandboxes import WHEELS, namespaces_work
from workbench.settings import PROJECT


class Emulator:
    """AWS, as far as this project uses it.

    Parameters
    ----------
    folder
        Where the machines' files go; made, and emptied at the end.
    mode
        ``ns``: machines are namespaces (root only); ``proc``: folders and loopback addresses; ``auto``: what
        can be had, ``EMULATOR_MODE`` in the environment decides where both can.
    boot
        ``False``: machines are states only, for thousands of them; a Run Command succeeds and says nothing.
    minute_s
        How long the machines' ``shutdown +1`` takes, in seconds.
    notice
        What the machines' own pages say above all else.
    packages
        A folder of wheels, which is all that the machines' uv finds: they reach no index.
    """

    def __init__(
        self,
        folder: Path,
        mode: str = "auto",
        *,
        boot: bool = True,
        minute_s: int = 60,
        notice: str = "",
        packages: Path | None = None,
    ) -> None:
        self.folder = folder
        self.why_not_ns = namespaces_work() if mode == "auto" else None
        if mode == "auto":
            mode = os.environ.get("EMULATOR_MODE") or ("proc" if self.why_not_ns else "ns")
        self._notice, self._packages = notice, packages
        self._asked = [mode, str(int(boot)), str(minute_s)]
        self._process: subprocess.Popen[bytes] | None = None
        self.mode = mode
        self.port = 0
        self.outside = ""
        """The address that the machines see when the outside comes to them."""
        self.enforces_groups = False
        """Whether security groups shut out what they do not allow."""

    def __enter__(self) -> "Emulator":
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start the process; seconds on a quiet computer.

        Raises
        ------
        RuntimeError
            It ended at once: its words.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        log = self.folder / "emulator.log"
        environ = {k: v for k, v in os.environ.items() if not k.startswith("AWS_")}
        with log.open("wb") as stream:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.emulator", "serve", str(self.folder), *self._asked],
                cwd=PROJECT,
                env={**environ, "WORKBENCH_NOTICE": self._notice, WHEELS: str(self._packages or "")},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stream,
                start_new_session=True,
            )
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            self.stop()
            raise RuntimeError(f"the emulator did not start: {log.read_text()[-2000:]}")
        told = json.loads(line)
        self.port, self.mode = told["port"], told["mode"]
        self.outside, self.enforces_groups = told["outside"], told["groups"]

    def stop(self) -> None:
        """End it and all its machines; twice is fine."""
        if self._process is None:
            return
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        try:
            self._process.wait(60)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process = None
        for entry in self.folder.iterdir():
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def environ(self) -> dict[str, str]:
        """All that a person with an account would set."""
        return {
            "AWS_ENDPOINT_URL": self.url,
            "AWS_ACCESS_KEY_ID": calls.CALLER_KEY,
            "AWS_SECRET_ACCESS_KEY": calls.SECRET,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    # ── levers ──

    def faults(self, faults: Iterable[Fault] = ()) -> None:
        """What is to go wrong from now on; nothing any more without any."""
        self._pull("faults", as_json(faults))

    def log(self, who: str = "caller") -> list[Call]:
        """The calls since the last reset, in order: of the account's owner, the ``machines`` or ``anyone``."""
        told = [Call(**entry) for entry in self._pull("calls")]
        if who == "anyone":
            return told
        return [call for call in told if (call.machine is None) == (who == "caller")]

    def calls(self, who: str = "caller") -> Counter[str]:
        """How often each action was called since the last reset."""
        return Counter(call.action for call in self.log(who))

    def calls_in_order(self, who: str = "caller") -> list[str]:
        """``service:Action`` of each call since the last reset."""
        return [f"{call.service}:{call.action}" for call in self.log(who)]

    def forget_calls(self) -> None:
        self._pull("forget")

    def instances(self) -> dict[str, dict[str, Any]]:
        """Each machine: ``state, address, public, folder, root, pid, error, spot, tags``; the ended ones, too."""
        return dict(self._pull("instances"))

    def resources(self) -> dict[str, list[str]]:
        """All that exists in the account by kind; empty for a new one."""
        return dict(self._pull("resources"))

    def interrupt(self, instance_id: str, notice_s: float = 0) -> None:
        """Take a spot instance back; its metadata tell so ``notice_s`` seconds before."""
        self._pull("interrupt", json.dumps({"id": instance_id, "notice_s": notice_s}))

    def quota(self, vcpus: int, gpu_vcpus: int = 0) -> None:
        """How many vCPUs may run at a time, of the usual types and of those with GPUs."""
        self._pull("quota", json.dumps({"vcpus": vcpus, "gpu_vcpus": gpu_vcpus}))

    def policy(self, document: str | None) -> None:
        """Let the account's owner do no more than this policy allows, by CloudFormation too; ``None``: everything."""
        self._pull("policy", json.dumps(document))

    def give_away(self, bucket: str) -> None:
        """Let a bucket be another account's, who has opened it to everybody."""
        self._pull("give_away", json.dumps(bucket))

    def withhold(self, kind: str, *zones: str) -> None:
        """Have no machines of this type in these zones; in none of the region without any."""
        self._pull("withhold", json.dumps({"type": kind, "zones": zones or ["*"]}))

    def spend(self, dollars: float) -> list[str]:
        """Let the account have cost so much this month; what the actions of its budgets did, or why they could not."""
        return list(self._pull("spend", json.dumps(dollars)))

    def an_hour_later(self) -> None:
        """Have AWS forget the machines that have ended: asked for by id they are not found."""
        self._pull("an_hour_later")

    def deafen(self, instance_id: str) -> None:
        """Deliver no command to this machine, though its agent was seen; a command waits for its time, and ends."""
        self._pull("deafen", json.dumps(instance_id))

    def limit_rates(self, wanted: bool = True) -> None:
        """Refuse what comes more often than AWS allows."""
        self._pull("rates", json.dumps(wanted))

    def pretend(self, tag: str, values: Iterable[str], bucket: str, key: str, body: str) -> None:
        """Have machines with such a tag put an object into a bucket (``{id}`` in the key) in place of their scripts."""
        told = {"tag": tag, "values": list(values), "bucket": bucket, "key": key, "body": body}
        self._pull("pretend", json.dumps(told))

    def complaints(self) -> list[str]:
        """What the emulator itself could not do since the last reset."""
        return list(self._pull("complaints"))

    def reset(self) -> None:
        """A new account: no machine, no resource, no fault, no call."""
        self._pull("reset")

    def _pull(self, lever: str, told: str = "null") -> Any:
        request = urllib.request.Request(f"{self.url}/emulator/{lever}", data=told.encode(), method="POST")
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.loads(answer.read())
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the emulator could not {lever}: {error.read().decode()}") from error
