"""What the machines must outlast, and how they end where they cannot: one function for each machine and its troubles."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.aws.boot import seeds, units
from tests.aws.boot.account import LINGER_MINUTES, Estate
from tests.aws.boot.bodies import Body, NotWell, until
from tests.aws.boot.vm import Virtual

INSTALL_S = 3600.0
"""Also where the processor is made by software alone."""
AGAIN_S = 900.0
TROUBLE_S = 60
"""For which the package lock is held, and the index of packages away."""
LOCK = (
    "import fcntl, os, time; held = open('/var/lib/dpkg/lock-frontend', 'w'); fcntl.lockf(held, fcntl.LOCK_EX)\n"
    "while not os.path.exists('/unlocked'): time.sleep(0.2)"
)
LOCKED = f'[ -e /unlocked ] || setsid python3 -c "{LOCK}" >/dev/null 2>&1 </dev/null &'
AWAY = (
    "grep -q pypi /etc/hosts || [ -e /back ] || echo '127.0.0.9 pypi.org files.pythonhosted.org' >>/etc/hosts"
)
FULL = "[ -e /full ] || fallocate -l $(($(df --output=avail -B1 / | tail -1) - 350000000)) /full"
ROOMY = "rm -f /full"
WHY_FULL = ("No space left", "os error 28", "enough free space")
"""Words of the kernel, of uv and of apt."""
EAT = 'held = []\nwhile True: held.append(b"x" * (1 << 24))'


@dataclass
class Notes:
    """What was seen, with the seconds that it took."""

    lines: list[str] = field(default_factory=list)
    begun: float = field(default_factory=time.monotonic)

    def add(self, what: str) -> None:
        now = time.monotonic()
        self.lines.append(f"{now - self.begun:6.0f} s  {what}")
        print(f"    {self.lines[-1]}", flush=True)
        self.begun = now


def back_end(estate: Estate, notes: Notes) -> None:
    """A first boot while the package lock is held and PyPI is away; a reboot; the disk full."""
    instance = estate.roles["backend"]
    with estate.machine(instance, 1024, [LOCKED, AWAY]) as (machine, _):
        machine.wait_on()
        notes.add("a machine with 1 GiB is up; the package lock is held, PyPI away")
        _unlock_in_time(machine)
        notes.add(f"apt has waited {TROUBLE_S} s for the lock")
        _until_log(machine, "connection refused")
        time.sleep(TROUBLE_S)
        machine.say("touch /back; sed -i /pypi/d /etc/hosts")
        notes.add(f"the installing has failed for {TROUBLE_S} s, PyPI is back")
        _ready(estate, machine, instance, INSTALL_S)
        notes.add("ready")
        machine.say("curl -sf http://10.0.2.15:5000/healthz")
        log = machine.say("wc -c </opt/workbench/boot.log")
        estate.forget(instance)
        machine.reboot()
        _ready(estate, machine, instance, AGAIN_S)
        if machine.say("wc -c </opt/workbench/boot.log") != log:
            raise NotWell("the first boot ran again")
        notes.add("rebooted, ready again, nothing installed anew")
        machine.do("fallocate -l 100G /full; dd if=/dev/zero of=/full.too bs=64k; df / ", 300)
        machine.say("curl -sf http://10.0.2.15:5000/healthz")
        notes.add(
            f"the disk is full ({machine.say('df --output=avail -BM / | tail -1')} free), and it answers"
        )
        estate.forget(instance)
        machine.reboot()
        until(lambda: estate.told(instance)[0] in ("ready", "failed"), AGAIN_S, "it says how it is")
        state, message = estate.told(instance)
        notes.add(f"rebooted with a full disk, it tells: {state}, {message}")
        machine.say("rm -f /full /full.too")
        until(lambda: machine.do("curl -sf http://10.0.2.15:5000/healthz")[0] == 0, AGAIN_S, "it answers")
        notes.add("with room again it answers, by itself")


def front_end(estate: Estate, notes: Notes) -> None:
    """A reboot in the midst of the first boot, which goes on."""
    instance = estate.roles["frontend"]
    with estate.machine(instance, 1024, [LOCKED]) as (machine, _):
        machine.wait_on()
        until(lambda: machine.do("pgrep -x apt-get")[0] == 0, AGAIN_S, "the first boot installs")
        machine.reboot()
        notes.add("rebooted in the midst of its first boot")
        _unlock_in_time(machine)
        _ready(estate, machine, instance, INSTALL_S)
        machine.say(
            "curl -sf http://10.0.2.15:8080/ -o /dev/null || curl -sf http://10.0.2.15:80/ -o /dev/null"
        )
        notes.add("ready all the same")
        estate.forget(instance)
        machine.reboot()
        _ready(estate, machine, instance, AGAIN_S)
        notes.add("rebooted, ready again")


def working(estate: Estate, notes: Notes) -> None:
    """A reboot, a stop for idleness, a start."""
    instance = estate.roles["working"]
    with estate.machine(instance, 3072) as (machine, _):
        machine.wait_on()
        _ready(estate, machine, instance, INSTALL_S)
        notes.add("ready")
        if machine.unit("workbench-idle.service", "ActiveState") != {"ActiveState": "active"}:
            raise NotWell("nobody watches whether the machine is in use")
        if machine.counts_memory:  # else the trial of memory has it
            _service_goes_on(machine, "workbench.service")
            notes.add("a child was killed for memory, the service went on")
        estate.forget(instance)
        machine.reboot()
        _ready(estate, machine, instance, AGAIN_S)
        notes.add("rebooted, ready again")
        machine.wait_off(900)
        state, message = estate.told(instance)
        if state != "idle":
            raise NotWell(f"it went off and told {state!r}: {message}")
        notes.add(f"off by itself: {message}")
        estate.forget(instance)
        machine.on()
        machine.wait_on()
        _ready(estate, machine, instance, AGAIN_S)
        notes.add("started, ready again")


def cluster(estate: Estate, notes: Notes) -> None:
    """A standing cluster's machine: launched, rebooted, its agent killed."""
    with estate.cluster("truly") as (instance, launch), estate.machine(instance, 3072) as (machine, _):
        machine.wait_on()
        code = until(
            lambda: None if launch.poll() is None else str(launch.returncode), INSTALL_S, "the launch ends"
        )
        if code != "0":
            raise NotWell(f"the launch fails: {(estate.folder / 'truly.out').read_text()[-1500:]}")
        notes.add("launched: the command waited until the machine was ready")
        minutes = _minutes_left(machine)
        before = machine.unit("workbench-agent.service", "MainPID")["MainPID"]
        machine.say(f"kill -9 {before}")

        def another() -> bool:
            told = machine.unit("workbench-agent.service", "MainPID", "ActiveState")
            return told["ActiveState"] == "active" and told["MainPID"] not in ("0", before)

        until(another, 60, "another agent")
        notes.add("its agent was killed and came again")
        machine.reboot()
        until(another, AGAIN_S, "an agent after the reboot")
        again = _minutes_left(machine)
        notes.add(
            f"rebooted: the agent is back, the machine ends itself in {again:.0f} minutes (before: {minutes:.0f})"
        )
        ended, said = machine.do(
            "/opt/workbench/env/bin/python -c 'import os, urllib.request as u; os.setuid(64000); "
            'u.urlopen("http://169.254.169.254/latest/meta-data/", timeout=5)\''
        )
        if ended == 0 or "refused" not in said.lower():
            raise NotWell(f"a recipe could reach the metadata: {said}")
        notes.add("the user of recipes cannot reach the metadata")


def package_index_gone(estate: Estate, notes: Notes) -> None:
    """PyPI away for good, and nobody who waits: a cluster's machine says why and ends itself."""
    with (
        estate.cluster("without") as (instance, launch),
        estate.machine(instance, 2048, [AWAY]) as (machine, _),
    ):
        launch.kill()
        launch.wait()
        machine.wait_on()
        why = until(lambda: estate.why_boot_failed("without", instance), INSTALL_S, "why the boot failed")
        notes.add(f"told in the bucket: {why[:160]}")
        if machine.shows_console and "first boot ended with code" not in machine.console:
            raise NotWell(f"the console does not say why: {machine.console[-1500:]}")
        machine.wait_off(120 + 60 * LINGER_MINUTES)
        notes.add("off by itself")


def disk_full(estate: Estate, notes: Notes) -> None:
    """Too small a disk: the back end's machine says why and stops; started with more room, it goes on to the end."""
    instance = estate.roles["backend"]
    estate.forget(instance)
    with estate.machine(instance, 1024, [FULL]) as (machine, seed):
        machine.wait_on()
        until(
            lambda: estate.told(instance)[0] == "failed",
            INSTALL_S,
            lambda: f"failed; told {estate.told(instance)}",
        )
        message = estate.told(instance)[1]
        if not any(words in message for words in WHY_FULL):
            raise NotWell(f"the reason is not told: {message}")
        notes.add(f"told in the bucket: {message[-160:]}")
        if machine.shows_console and not any(words in machine.console for words in WHY_FULL):
            raise NotWell("the console does not say why")
        machine.wait_off(120 + 60 * LINGER_MINUTES)
        notes.add("off by itself")
        estate.forget(instance)
        seed.trouble([ROOMY])
        machine.on()
        machine.wait_on()
        _ready(estate, machine, instance, INSTALL_S)
        notes.add("started with room: its first boot went on, ready")


def memory(estate: Estate, notes: Notes) -> None:
    """Memory out, in a virtual machine: our units as they are written, though what they start is a stub."""
    with seeds.served(estate.emulator.port, "i-0", "#!/bin/sh\n", ()) as seed:
        folder = estate.folder / "memory"
        with Virtual(folder, estate.root, 512, seed.url, seed.environ) as machine:
            machine.wait_on()
            notes.add("a machine with half a GiB is up")
            root = Path("/opt/workbench")
            machine.say(f"mkdir -p {root}/env/bin {root}/code; touch {root}/environment")
            for path in ("env/bin/python", "serve.sh"):
                machine.say(
                    f"printf '{units.STARTED.encode('unicode_escape').decode()}' >{root}/{path}; chmod 755 {root}/{path}"
                )
            for name, text in units.written(root, "working").items():
                machine.say(
                    f"cat >/etc/systemd/system/{name} <<'END'\n{text}\nEND\nsystemctl daemon-reload; systemctl start {name}"
                )
                _service_goes_on(machine, name)
                notes.add(f"a child was killed for memory, {name} went on")


TRIALS: dict[str, Callable[[Estate, Notes], None]] = {
    "backend": back_end,
    "frontend": front_end,
    "working": working,
    "cluster": cluster,
    "index-gone": package_index_gone,
    "disk-full": disk_full,
    "memory": memory,
}


def _unlock_in_time(machine: Body) -> None:
    """Have apt wait for the lock, and have it at last."""
    until(lambda: machine.do("pgrep -x apt-get")[0] == 0, AGAIN_S, "apt waits for the lock")
    time.sleep(TROUBLE_S)
    machine.say("touch /unlocked")


def _until_log(machine: Body, words: str) -> None:
    """Wait until the log of the first boot has such words."""
    asked = f"grep -Eiq '{words}' /opt/workbench/boot.log"
    until(
        lambda: machine.do(asked)[0] == 0,
        INSTALL_S,
        lambda: f"{words} in the log; console: {machine.console[-2000:]}",
    )


def _ready(estate: Estate, machine: Body, instance: str, seconds: float) -> None:
    """Wait until it has told that it is ready; at once where it has told that it is not."""

    def ready() -> bool:
        state, message = estate.told(instance)
        if state == "failed" or not machine.is_on:
            raise NotWell(f"{state}: {message}; console: {machine.console[-3000:]}")
        return state == "ready"

    until(ready, seconds, lambda: f"ready; told {estate.told(instance)}; console: {machine.console[-3000:]}")
    if (told := machine.unit("workbench.service", "ActiveState", "NRestarts")) != {
        "ActiveState": "active",
        "NRestarts": "0",
    }:
        raise NotWell(f"ready, and its service is {told}: {machine.do('journalctl -u workbench -n 40')[1]}")


def _service_goes_on(machine: Body, unit: str) -> None:
    """Have the kernel kill a child of the unit for memory: systemd must leave the others alone."""
    machine.do("systemctl reset-failed control")
    machine.say("systemd-run --quiet --unit=control -p OOMPolicy=stop sleep 100000")
    _eat(machine, "control.service")
    until(
        lambda: machine.unit("control.service", "ActiveState")["ActiveState"] != "active",
        30,
        "the control ends",
    )
    before = machine.unit(unit, "MainPID", "NRestarts")
    _eat(machine, unit)
    time.sleep(2)  # systemd hears of it by a notice
    now = machine.unit(unit, "MainPID", "NRestarts", "ActiveState")
    if now != {**before, "ActiveState": "active"}:
        raise NotWell(f"a child was killed for memory, and {unit} was {before} and is {now}")


def _eat(machine: Body, unit: str) -> None:
    group = f"/sys/fs/cgroup/system.slice/{unit}"
    killed = f"grep -w oom_kill {group}/memory.events"
    before = machine.say(killed)
    code, said = machine.do(
        f"echo $$ >{group}/cgroup.procs; echo 1000 >/proc/$$/oom_score_adj; exec python3 -c '{EAT}'", 120
    )
    if code != -9 or (unit != "control.service" and machine.say(killed) == before):
        raise NotWell(f"the kernel killed nothing of {unit} ({code}): {said}")


def _minutes_left(machine: Body) -> float:
    """Minutes until the machine switches itself off."""
    scheduled = "/run/systemd/shutdown/scheduled"
    until(lambda: machine.do(f"test -e {scheduled}")[0] == 0, AGAIN_S, "the machine's own end is scheduled")
    told = machine.say(f"cat {scheduled}; echo; echo NOW=$(date +%s)")
    found = dict(line.partition("=")[::2] for line in told.splitlines())
    return (int(found["USEC"]) / 1e6 - int(found["NOW"])) / 60
