"""What only the local provider promises: what machines cannot see, use up or leave behind."""

import importlib
import os
import shutil
import signal
import subprocess
import sys
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.chain import make_settings, wait_until
from tests.machines.bench import ENDLESS, Bench
from workbench.errors import BadInput, Unavailable
from workbench.machines import Exit, Layout, Machine
from workbench.machines.local import folders, sandbox
from workbench.machines.local.messages import Ends
from workbench.machines.local.output import LOG_BYTES
from workbench.machines.local.processes import find_warm, living
from workbench.machines.local.provider import LocalProvider, end_all
from workbench.machines.local.sandbox import MachineLimits
from workbench.settings import PROJECT
from workbench.system.priority import BACKGROUND, session_weight

SMALL = MachineLimits(memory_bytes=200_000_000, file_bytes=1_000_000)


def run_recipe(bench: Bench, recipe: str, limits: MachineLimits | None = None) -> tuple[Machine, Path]:
    """The machine of a one-machine job after it ended, and its folder."""
    folder = bench.job(recipe=recipe)
    provider = LocalProvider(
        make_settings(bench.home), node="tests.stub_node", imported=["tests.stub_node"], limits=limits
    )
    provider.launch("job-1", Layout(), folder)
    wait_until(lambda: provider.machines("job-1")[0].exit, 20, "the machine's end")
    return provider.machines("job-1")[0], folder / "machines" / "worker-0"


def test_a_machine_sees_neither_secrets_nor_other_processes_nor_a_network(
    local: Bench,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    token = local.home / "token"
    token.write_text("secret")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("WORKBENCH_DATABASE_URL", "mysql://secret")
    machine = local.provider.launch("job-1", Layout(), local.job())[0]

    def say(command: str) -> str:
        done = local.provider.run(machine, "sh", "-c", command)
        return done.stdout + done.stderr

    assert sorted(say(f"ls {local.home}").split()) == ["data", "jobs", "packages"]
    assert "secret" not in say(f"cat {token}; env; cat /proc/*/environ")
    assert say("id -u").strip() not in ("0", str(os.getuid()))
    assert set(say("cat /proc/[0-9]*/status | grep ^Uid: | cut -f2").split()) == {say("id -u").strip()}
    assert say("cut -d: -f1 /proc/net/dev | tail -n +3").split() == ["lo"]
    assert "0000000000000000" in say("grep CapEff /proc/self/status")
    assert say("grep NoNewPrivs /proc/self/status").split() == ["NoNewPrivs:", "1"]


def test_a_machine_cannot_look_into_another_jobs_folder(local: Bench) -> None:
    machine = local.provider.launch("job-1", Layout(), local.job(1))[0]
    local.provider.launch("job-2", Layout(), local.job(2))

    assert local.provider.run(machine, "ls", str(local.home / "jobs" / "1")).code == 0
    assert local.provider.run(machine, "ls", str(local.home / "jobs" / "2")).code != 0


def test_what_a_machine_runs_is_shown_to_it_wherever_the_project_is() -> None:
    """A project in ``/tmp``, say, of which a machine sees nothing else."""
    shown = sandbox.needed()

    for name in ("workbench", "tests.stub_node", "numpy", "json"):
        file = Path(str(importlib.import_module(name).__file__)).resolve()
        assert [folder for folder in shown if file.is_relative_to(folder)], name
    assert PROJECT not in shown, "its home may be in it, and tokens"


def test_python_runs_on_a_machine_wherever_it_is_installed(local: Bench) -> None:
    """Here Python may lie below /root, which only root may enter."""
    machine = local.provider.launch("job-1", Layout(), local.job())[0]

    done = local.provider.run(machine, sys.executable, "-c", "import numpy; print(numpy.__file__)")

    assert (done.code, done.stderr) == (0, "")
    assert done.stdout.strip().endswith("__init__.py")


def test_a_home_that_only_root_may_enter_can_be_worked_in(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    provider = LocalProvider(make_settings(closed / "home"))
    bench = Bench(provider, lambda: provider, closed / "home", lambda m: None)
    try:
        (closed / "home").mkdir()
        ended, folder = run_recipe(bench, "STEPS = 1")
        assert ended.exit == Exit(0), (folder / "stderr.log").read_text()
    finally:
        end_all(make_settings(closed / "home"))


def test_a_home_is_opened_although_a_file_goes_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite takes its log away when the last one closes the store."""
    log, chmod = tmp_path / "workbench.db-wal", Path.chmod

    def chmod_late(path: Path, mode: int) -> None:
        log.unlink(missing_ok=True)
        chmod(path, mode)

    log.touch()
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(Path, "is_file", lambda path: path == log)
    monkeypatch.setattr(Path, "iterdir", lambda home: iter([log]))
    monkeypatch.setattr(Path, "chmod", chmod_late)
    folders.open_home(tmp_path)
    assert not log.exists()


def test_without_isolation_the_provider_says_so_and_works(open_local: Bench) -> None:
    machine = open_local.provider.launch("job-1", Layout(), open_local.job())[0]

    assert "without isolation" in open_local.provider.warnings[0]
    assert open_local.provider.run(machine, "id", "-u").stdout.strip() == str(os.getuid())


def test_root_without_the_right_to_make_namespaces_is_told_what_is_missing(tmp_path: Path) -> None:
    """As in a container with default rights; where Python cannot be read by another user, not even a user changes."""
    setpriv = shutil.which("setpriv")
    if os.geteuid() != 0 or setpriv is None:
        pytest.skip("needs root and setpriv")
    script = (
        "from pathlib import Path\n"
        "from tests.machines.bench import make_local\n"
        "from workbench.errors import Unavailable\n"
        "from workbench.machines import Layout\n"
        f"provider = make_local(Path({str(tmp_path)!r}))\n"
        "print(provider.warnings[0])\n"
        "provider.least = 'full'\n"
        "try:\n"
        "    provider.launch('one', Layout(workers=2))\n"
        "except Unavailable as error:\n"
        "    print('refused:', error, provider.machines())\n"
        "provider.least = 'none'\n"
        "print({m.state for m in provider.launch('one', Layout(workers=2))})\n"
        "provider.terminate('one')\n"
    )
    try:
        done = subprocess.run(
            [setpriv, "--bounding-set", "-sys_admin", sys.executable, "-c", script],
            cwd=PROJECT,
            env={**os.environ, "WORKBENCH_HOME": str(tmp_path)},
            capture_output=True,
            text=True,
        )
    finally:
        end_all(make_settings(tmp_path))

    assert done.returncode == 0, done.stderr
    assert "unshare: Operation not permitted" in done.stdout
    assert "but not in namespaces" in done.stdout or "cannot be" in done.stdout
    assert "refused: recipes cannot be kept apart here (unshare: Operation not permitted" in done.stdout
    assert "takes it as it is []" in done.stdout
    assert "{'running'}" in done.stdout


@pytest.mark.parametrize("bench", ["local", "open_local"])
def test_nothing_is_left_of_a_machine_that_hides_its_children(
    bench: str, request: pytest.FixtureRequest
) -> None:
    """A daemon in a session of its own, without our mark in its environment."""
    there: Bench = request.getfixturevalue(bench)
    sleeps = [
        ["sleep", f"{2 * os.getpid() + n}00000"] for n in range(2)
    ]  # no other run of the tests has these
    both = "".join(f"{' '.join(one)} & " for one in sleeps)
    hide = f"import subprocess\nsubprocess.Popen(['sh', '-c', {both!r}], env={{}}, start_new_session=True)\n"

    def hidden() -> list[int]:
        return [p.pid for p in psutil.process_iter(["cmdline"]) if p.info["cmdline"] in sleeps]

    there.provider.launch("job-1", Layout(), there.job(recipe=hide + ENDLESS))
    wait_until(lambda: len(hidden()) == 2, 20, "the daemons")

    there.provider.terminate("job-1")

    assert hidden() == []


@pytest.mark.parametrize("bench", ["local", "open_local"])
def test_machines_end_when_the_clusters_own_process_is_killed(
    bench: str, request: pytest.FixtureRequest
) -> None:
    there: Bench = request.getfixturevalue(bench)
    folder = there.job()
    there.provider.launch("job-1", Layout(ps=1, workers=1), folder)
    first = next(f for f in living(there.home) if f.place.role == "cluster")

    os.kill(first.pid, signal.SIGKILL)

    wait_until(lambda: not living(there.home), 5, "the machines' end")
    assert {m.state for m in there.provider.machines("job-1")} == {"stopped"}
    assert {m.state for m in there.provider.start("job-1")} == {"running"}
    there.provider.terminate("job-1")


def test_a_stopped_process_can_be_ended(local: Bench) -> None:
    machine = local.provider.launch("job-1", Layout(), local.job())[0]
    assert machine.pid
    os.kill(machine.pid, signal.SIGSTOP)

    assert local.provider.stop("job-1")[0].state == "stopped"


def _weighs(pid: int, weight: int) -> bool:
    return session_weight(pid) == weight


@pytest.mark.parametrize("bench", ["local", "open_local"])
def test_machines_come_after_pages_and_answers_where_cores_do_not_suffice(
    bench: str, request: pytest.FixtureRequest
) -> None:
    if session_weight(os.getpid()) is None:
        pytest.skip("this system does not weigh sessions")
    there: Bench = request.getfixturevalue(bench)
    machines = there.provider.launch("job-1", Layout(ps=1, workers=2), there.job())

    for machine in machines:
        assert machine.pid
        wait_until(partial(_weighs, machine.pid, BACKGROUND), 5, "its weight")
        # Ten more than who began them has: the tests themselves may be nice to others.
        assert psutil.Process(machine.pid).nice() == min(19, psutil.Process().nice() + BACKGROUND)


def test_a_machine_that_takes_too_much_memory_gets_an_error_in_its_own_code(local: Bench) -> None:
    ended, folder = run_recipe(local, "x = bytearray(10**10)", SMALL)

    assert ended.exit == Exit(3)
    assert "MemoryError" in (folder / "events.jsonl").read_text()


def test_a_machine_that_eats_memory_bit_by_bit_is_ended_with_the_reason(local: Bench) -> None:
    recipe = "import time\nkept = []\nwhile True:\n    kept.append(bytes([7]) * 10_000_000)\n    time.sleep(0.01)\n"

    ended, _ = run_recipe(local, recipe, SMALL)

    assert ended.exit is not None
    assert "of memory, more than the 0.2 GB that a machine may use" in str(ended.exit)


def test_children_of_a_machine_count_as_the_machine(local: Bench) -> None:
    eat = "x = bytes([7]) * 90_000_000; import time; time.sleep(600)"
    recipe = f"import subprocess, sys\nps = [subprocess.Popen([sys.executable, '-c', {eat!r}]) for _ in range(3)]\nps[0].wait()"

    ended, _ = run_recipe(local, recipe, SMALL)

    assert ended.exit is not None
    assert ended.exit.code == -9
    assert "of memory, more than the 0.2 GB" in str(ended.exit)


def test_a_file_cannot_grow_without_end(local: Bench) -> None:
    ended, folder = run_recipe(local, "open('big', 'wb').write(bytes(2_000_000))", SMALL)

    assert ended.exit == Exit(3)
    assert "File too large" in (folder / "events.jsonl").read_text()


def test_a_gigabyte_printed_leaves_its_end_and_little_else(local: Bench) -> None:
    recipe = (
        "import sys\n"
        "for _ in range(1000): sys.stdout.write('x' * 999_999 + '\\n')\n"
        "print('the end')\nsys.stderr.write('last words')\nSTEPS = 1"
    )

    ended, folder = run_recipe(local, recipe)

    assert ended.exit == Exit(0)
    assert (folder / "stdout.log").read_text().endswith("the end\n")
    assert (folder / "stderr.log").read_text() == "last words"
    assert sum(path.stat().st_size for path in folder.glob("std*")) <= 2 * LOG_BYTES + 1_000_000


def test_a_machine_that_ends_by_itself_is_explained(local: Bench) -> None:
    ended, _ = run_recipe(local, "import os; os._exit(17)")

    assert ended.exit == Exit(17)
    assert str(ended.exit) == "exit code 17"


def test_a_silent_machine_says_where_it_is_when_asked(local: Bench) -> None:
    folder = local.job(recipe="def before(place):\n    import time\n    time.sleep(1000)\n")
    machine = local.provider.launch("job-1", Layout(), folder)[0]
    log = folder / "machines" / "worker-0" / "stderr.log"
    wait_until(lambda: (log.parent / "events.jsonl").exists(), 5, "the machine")

    def asked() -> bool:
        assert machine.pid
        os.kill(machine.pid, signal.SIGUSR1)
        return log.exists() and 'training.py", line 3 in before' in log.read_text()

    wait_until(asked, 5, "the stack")


def test_a_command_that_takes_too_long_is_ended(local: Bench) -> None:
    machine = local.provider.launch("job-1", Layout())[0]

    done = local.provider.run(machine, "sleep", "60", timeout_s=0.2)

    assert (done.code, done.stderr) == (-9, "\nended after 0.2 s")


def test_a_machine_that_is_ending_runs_until_it_is_known_how_it_ended(
    local: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended, _ = run_recipe(local, "import os; os._exit(7)")
    assert ended.exit == Exit(7)
    with monkeypatch.context() as slow:  # to give back its memory takes a busy computer seconds
        slow.setattr(local.provider, "_ask", lambda *_: Ends(ending=(ended.place,)))
        (ending,) = local.provider.machines("job-1")
    assert (ending.state, ending.exit) == ("running", None)
    assert local.provider.machines("job-1")[0].exit == Exit(7)


def test_a_machine_works_below_the_jobs_folder_only(local: Bench, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=str(tmp_path)):
        local.provider.launch("job-1", Layout(), tmp_path)

    assert local.provider.machines() == []


def test_ending_all_leaves_no_process(local: Bench, tmp_path: Path) -> None:
    settings = make_settings(tmp_path)
    provider = LocalProvider(settings, node="tests.stub_node", imported=["tests.stub_node"])
    provider.launch("one", Layout(workers=2))
    assert find_warm(tmp_path) is not None

    assert end_all(settings) == 4

    assert living(tmp_path) == []
    assert find_warm(tmp_path) is None
    assert end_all(settings) == 0


def test_a_warm_process_that_cannot_begin_says_why(tmp_path: Path) -> None:
    provider = LocalProvider(make_settings(tmp_path), imported=["no_such_module"])

    with pytest.raises(Unavailable, match="No module named 'no_such_module'"):
        provider.launch("one", Layout())

    assert provider.machines() == []


def test_how_a_machine_ended_is_known_as_soon_as_it_no_longer_runs(local: Bench) -> None:
    # Giving back so much memory takes a moment in which the system shows the process, but no longer whose it is.
    folder = local.job(recipe="import os\nheld = bytearray(300_000_000)\nos._exit(7)\n")
    local.provider.launch("job-1", Layout(), folder)
    for _ in range(5):
        while (machine := local.provider.machines("job-1")[0]).state == "running":
            pass
        assert machine.exit == Exit(7)
        local.provider.start("job-1")
