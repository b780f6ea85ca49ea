"""Two hosts joined by a cable: what goes through it, and that nothing is left of them."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace

import pytest

from benchmarks import cable, hosts
from benchmarks.scaling import Net
from tests.chain import wait_until
from workbench.errors import Unavailable
from workbench.estimates import scaling
from workbench.estimates.scaling import Workload
from workbench.machines import Layout
from workbench.recipes import Recipe

NET = Net("small", Recipe("", "", ""), 1_000)
LISTEN = """
import socket, sys
with socket.create_server((sys.argv[1], 21000)) as server:
    print("up", flush=True)
    with server.accept()[0] as peer:
        while peer.recv(65536):
            pass
"""
SEND = """
import os, socket, sys, time
assert len(os.sched_getaffinity(0)) == 1
with socket.create_connection((sys.argv[1], 21000)) as peer:
    begun = time.perf_counter()
    peer.sendall(bytes(int(sys.argv[2])))
    peer.shutdown(socket.SHUT_WR)
    peer.recv(1)
print(time.perf_counter() - begun)
"""


@pytest.fixture
def name() -> str:
    """Of hosts that no other test and no benchmark uses at the same time."""
    return f"wbt{os.getpid()}"


@pytest.fixture
def cabled(name: str) -> Iterator[tuple[cable.Host, cable.Host]]:
    try:
        with cable.lay(name) as found:
            yield found
    except Unavailable as error:
        pytest.skip(str(error))


def seconds_to_send(amount: int, here: cable.Host, there: cable.Host) -> float:
    listen = there.command(sys.executable, "-c", LISTEN, there.address)
    with subprocess.Popen(listen, stdout=subprocess.PIPE) as listener:
        assert listener.stdout
        listener.stdout.readline()
        send = here.command(sys.executable, "-c", SEND, there.address, str(amount))
        return float(subprocess.run(send, check=True, capture_output=True, text=True, timeout=200).stdout)


def test_no_more_goes_through_the_cable_than_the_limit_lets(cabled: tuple[cable.Host, cable.Host]) -> None:
    near, far = cabled
    limit_s = 0.3  # 16 million bits through 40 million a second take longer, however fast the computer is
    wait_until(lambda: seconds_to_send(2_000_000, near, far) < limit_s, 60, "the cable is free")
    cable.limit(near, 40)
    before = cable.sent(near)
    assert seconds_to_send(2_000_000, near, far) > limit_s
    assert cable.sent(near) - before == pytest.approx(2_000_000, rel=0.1)
    cable.unlimit(near)
    wait_until(lambda: seconds_to_send(2_000_000, near, far) < limit_s, 60, "the cable is free again")


def namespaces() -> str:
    return subprocess.run(["ip", "netns", "list"], check=True, capture_output=True, text=True).stdout


def pids_in(host: cable.Host) -> list[str]:
    pids = ["ip", "netns", "pids", host.namespace]
    return subprocess.run(pids, check=True, capture_output=True, text=True).stdout.split()


def fail_half_way(name: str) -> None:
    with cable.lay(name):
        raise ZeroDivisionError


def test_nothing_is_left_of_hosts_whose_run_failed_half_way(
    cabled: tuple[cable.Host, cable.Host], name: str
) -> None:
    with pytest.raises(ZeroDivisionError):
        fail_half_way(f"{name}x")
    assert f"{name}x" not in namespaces()
    assert name in namespaces()


def test_hosts_of_a_run_that_was_killed_are_made_anew_but_not_while_its_processes_live(
    name: str, cabled: tuple[cable.Host, cable.Host]
) -> None:
    near, _ = cabled
    with subprocess.Popen(near.command("sleep", "600")) as living:
        try:
            wait_until(lambda: str(living.pid) in pids_in(near), 60, "the process is there")
            with pytest.raises(Unavailable, match=f"in use; end these processes first: {living.pid}"):
                fail_half_way(name)
        finally:
            living.kill()
    with pytest.raises(ZeroDivisionError):
        fail_half_way(name)
    assert name not in namespaces()


def test_where_there_can_be_no_hosts_it_says_what_is_missing(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(Unavailable, match=r"only root|ip, tc, taskset not found"), cable.lay(name):
        pass


def test_what_a_link_adds_is_told_beside_what_was_foretold() -> None:
    costs = replace(scaling.MEASURED, busy=1.0)
    work, layout = Workload(0.1, 10_000_000), Layout(1, 1)
    found = []
    for mbit, step_s in ((100, 1.9), (1_000, 0.4), (10_000, 0.2)):
        one = hosts.Run(step_s, 0.2, 2.0 * NET.variables)
        found.append(hosts.Crossing(NET, layout, mbit, one, hosts.foretell(work, layout, mbit, costs)))
    slow = next(line for line in hosts.table(found).splitlines() if "100 Mbit/s" in line)
    # Variables and gradients, 80 Mbit each way and 6 % around them, need 1.70 s at 100 Mbit/s, 17 ms at 10 Gbit/s.
    assert slow.split("|")[6:9] == [" 1,700 ms ", " 1,682 ms ", " 2.00 "]
    rows = hosts.rows(found)
    assert [row.name.rpartition(", ")[2] for row in rows] == ["100 Mbit/s", "1,000 Mbit/s", "10,000 Mbit/s"]
    assert rows[0].value == pytest.approx(256 / 1.9)
