"""The working machine switches itself off when nobody has used it for long: ``idle.py URL TOKEN_FILE MINUTES``, as root, from boot to boot.

In use is what a person sees move: a page or a notebook that was worked with, code that runs, a job that waits or is at work. A
tab that is merely open is no use, nor is a dashboard that does not answer for as long. Being switched off the machine is
stopped, not ended: its disk and address stay. Python's own library alone.
"""

import json
import os
import ssl
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from pathlib import Path

EVERY_S = 60.0
ACTIVE = {"queued", "initializing", "training", "exporting"}


def why_idle(
    status: Mapping[str, object],
    kernels: Sequence[Mapping[str, object]],
    *,
    up_s: float,
    now: float,
    minutes: float,
) -> str:
    """Say why the dashboard is not in use; empty where it is, or may be.

    Parameters
    ----------
    status, kernels
        The server's own answers at ``/api/status`` and ``/api/kernels``.
    up_s
        Seconds since the machine came up: it is in use for as long as it would have to idle.
    """
    if up_s < minutes * 60 or any(one.get("execution_state") == "busy" for one in kernels):
        return ""
    last = datetime.fromisoformat(str(status["last_activity"]).replace("Z", "+00:00")).timestamp()
    if now - last < minutes * 60:
        return ""
    return (
        f"nobody has used the dashboard for {(now - last) / 60:.0f} minutes, and no job waits or is at work"
    )


def ask(url: str, token: str) -> object:
    """The dashboard's answer; it knows the machine's own certificate only. Being asked is no use."""
    known = ssl.create_default_context()
    known.check_hostname, known.verify_mode = False, ssl.CERT_NONE
    request = urllib.request.Request(  # noqa: S310 - our own address
        f"{url}?no_track_activity=1", headers={"Authorization": f"token {token}"}
    )
    with urllib.request.urlopen(request, timeout=10, context=known) as answer:  # noqa: S310
        return json.loads(answer.read())


def jobs_wait() -> bool | None:
    """Whether a job waits or is at work; ``None`` if nobody can tell."""
    home, code = Path(os.environ["WORKBENCH_HOME"]), Path(__file__).resolve().parents[3]
    command = [sys.executable, "-m", "workbench.cli", "jobs", "--json", "--limit", "1000"]
    owner = home.stat()  # what is written there, if only by looking, must stay the dashboard's
    apart = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []} if os.geteuid() == 0 else {}
    asked = subprocess.run(command, capture_output=True, text=True, check=False, cwd=code, **apart)  # type: ignore[call-overload]
    return None if asked.returncode else any(job["state"] in ACTIVE for job in json.loads(asked.stdout))


class Watch:
    """Looks at the dashboard again and again.

    Parameters
    ----------
    began
        When the machine came up, by the clock.
    waits
        Whether a job needs the machine; see :func:`jobs_wait`.
    clock
        Seconds that never go back.
    """

    def __init__(
        self,
        url: str,
        token: str,
        minutes: float,
        began: float,
        *,
        waits: Callable[[], bool | None] = jobs_wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url, self._token, self._minutes, self._began = url, token, minutes, began
        self._waits, self._clock = waits, clock
        self._silent_since: float | None = None

    def look(self) -> str:
        """Say why the machine is to be switched off now; empty while it is not."""
        now = self._clock()
        try:
            status, kernels = (ask(f"{self._url}/{what}", self._token) for what in ("status", "kernels"))
            assert isinstance(status, dict)
            assert isinstance(kernels, list)
            why = why_idle(status, kernels, up_s=now - self._began, now=time.time(), minutes=self._minutes)
        except (OSError, ValueError, KeyError, AssertionError) as error:
            print(f"the dashboard does not say how it is used: {error!r}", flush=True)
            return self._why_silent(now)
        self._silent_since = None
        return why if why and self._waits() is False else ""

    def _why_silent(self, now: float) -> str:
        """A dashboard that never answers is of use to nobody; where the disk is full, say, jobs cannot be listed either."""
        self._silent_since = now if self._silent_since is None else self._silent_since
        silent_s = now - self._silent_since
        if silent_s < self._minutes * 60 or self._waits():
            return ""
        return f"the dashboard has not answered for {silent_s / 60:.0f} minutes, and no job is known to wait or to be at work"


def main(arguments: Sequence[str]) -> int:
    url, token_file, minutes = arguments[0], Path(arguments[1]), float(arguments[2])
    watch = Watch(url, token_file.read_text().strip(), minutes, time.monotonic())
    while not (why := watch.look()):
        time.sleep(EVERY_S)
    told = f"{why}: the machine is stopped (WORKBENCH_AWS_WORKING_IDLE_MINUTES)"
    print(told, flush=True)
    subprocess.run(
        [os.environ["TELLER"], str(Path(__file__).with_name("ask_aws.py")), "tell", "idle", told], check=False
    )
    subprocess.run(["shutdown", "-h", "now"], check=False)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
