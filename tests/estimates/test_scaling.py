"""Laws that the model of a distributed step must hold to, whatever the costs; and what is made of measurements."""

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from workbench.estimates import scaling
from workbench.estimates.scaling import Costs, Hardware, Workload, choose, foretell, infer, network, pays_from
from workbench.machines import Layout

small = some.floats(0, 1e-2)
a_byte = some.floats(0, 1e-7)
COSTS = some.builds(
    Costs,
    busy=some.floats(0.1, 1),
    step_s=small,
    update_byte_s=a_byte,
    ring_round_s=small,
    ring_byte_s=a_byte,
    worker_step_s=small,
    worker_byte_s=a_byte,
    ps_step_s=small,
    ps_byte_s=a_byte,
    chief_busy=some.floats(0, 0.9),
    chief_step_s=small,
)
WORK = some.builds(
    lambda step_s, variables, share: Workload(step_s, variables, int(share * variables)),
    some.floats(1e-3, 10),
    some.integers(0, 10**9),
    some.floats(0, 1),
)
SITES = some.builds(
    Hardware,
    some.floats(1e6, 1e10) | some.just(math.inf),
    some.floats(0, 1e-2),
    some.integers(1, 64),
    some.booleans(),
)
LAYOUTS = some.builds(Layout, some.integers(0, 8), some.integers(1, 256))
NEARLY = 1 + 1e-9
law = settings(deadline=None)
PLAIN = Costs(
    busy=0.85,
    step_s=2e-3,
    update_byte_s=1e-9,
    ring_round_s=1e-3,
    ring_byte_s=2e-9,
    worker_step_s=2e-3,
    worker_byte_s=1e-9,
    ps_step_s=1e-3,
    ps_byte_s=1e-9,
    chief_busy=0.05,
    chief_step_s=2e-4,
)
CNN = Workload(0.06, 140_000)
WIDE = Workload(0.06, 14_000_000)
GIGABIT = network(1)


@law
@given(WORK, SITES, COSTS)
def test_one_process_only_computes(work: Workload, site: Hardware, costs: Costs) -> None:
    pace = foretell(work, Layout(), site, costs)
    assert (pace.step_s, pace.bottleneck) == (work.step_s, "computing")


@law
@given(WORK, LAYOUTS, SITES, COSTS)
def test_nobody_is_faster_than_by_the_number_of_workers(
    work: Workload, layout: Layout, site: Hardware, costs: Costs
) -> None:
    assert foretell(work, layout, site, costs).step_s * layout.workers * NEARLY >= work.step_s


@law
@given(WORK, LAYOUTS, SITES, COSTS, some.floats(1, 1000))
def test_a_faster_network_is_never_slower(
    work: Workload, layout: Layout, site: Hardware, costs: Costs, times: float
) -> None:
    faster = replace(site, bytes_per_s=site.bytes_per_s * times, latency_s=site.latency_s / times)
    assert foretell(work, layout, faster, costs).step_s <= foretell(work, layout, site, costs).step_s * NEARLY


@law
@given(WORK, some.integers(1, 8), some.integers(1, 255), SITES, COSTS)
def test_another_asynchronous_worker_never_slows_the_others_down_in_all(
    work: Workload, ps: int, workers: int, site: Hardware, costs: Costs
) -> None:
    fewer, more = (foretell(work, Layout(ps, n), site, costs) for n in (workers, workers + 1))
    assert more.step_s <= fewer.step_s * NEARLY


@law
@given(WORK, some.integers(1, 256), SITES, COSTS)
def test_no_step_comes_faster_than_a_parameter_server_can_serve_it(
    work: Workload, workers: int, site: Hardware, costs: Costs
) -> None:
    served = max(costs.ps_step_s + costs.ps_byte_s * 2 * work.variables, work.variables / site.bytes_per_s)
    assert foretell(work, Layout(1, workers), site, costs).step_s * NEARLY >= served


@law
@given(WORK, LAYOUTS, COSTS, some.integers(1, 64))
def test_machines_that_share_cores_add_nothing_beyond_them(
    work: Workload, layout: Layout, costs: Costs, cores: int
) -> None:
    pace = foretell(work, layout, Hardware(cores=cores, shared=True), costs)
    assert pace.step_s * NEARLY >= work.step_s * costs.busy
    assert pace.step_s >= foretell(work, layout, Hardware(cores=cores), costs).step_s


@law
@given(WORK, LAYOUTS, SITES, COSTS)
def test_the_work_is_inferred_from_the_pace_of_any_layout(
    work: Workload, layout: Layout, site: Hardware, costs: Costs
) -> None:
    work = replace(work, largest=0)
    seen = foretell(work, layout, site, costs).step_s
    found = infer(seen, layout, work.variables, site, costs)
    assert foretell(found, layout, site, costs).step_s == pytest.approx(seen, rel=1e-6)


def test_many_workers_come_to_what_holds_them_up() -> None:
    pace = foretell(WIDE, Layout(1, 256), GIGABIT, PLAIN)
    # Each way 14 MB, and 6 % around them, as packets of 1,538 bytes have it for their 1,448.
    assert pace.step_s == pytest.approx(1.06 * 14e6 / 125e6, rel=0.02)
    assert pace.bottleneck.startswith("the network")
    slow = replace(PLAIN, ps_byte_s=1e-7)
    assert foretell(WIDE, Layout(1, 256), GIGABIT, slow).bottleneck == "the processor of the parameter server"
    busy = replace(PLAIN, chief_step_s=0.5)
    assert foretell(CNN, Layout(1, 256), GIGABIT, busy).bottleneck.startswith("the chief")
    assert foretell(CNN, Layout(1, 2), GIGABIT, PLAIN).bottleneck == "computing"


def test_two_customers_wait_for_each_other_as_the_theory_says() -> None:
    # Thinking 1 s, served 1 s: alone 1/2 a second; together each is served after 1.5 s on average (R = 1 + 1/2).
    free = Costs(1.0, 0, 0, 0, 0, 0, 0, ps_step_s=1.0, ps_byte_s=0, chief_busy=0, chief_step_s=0)
    site = Hardware(latency_s=0)
    assert foretell(Workload(1.0, 0), Layout(1, 1), site, free).step_s == pytest.approx(2.0)
    assert foretell(Workload(1.0, 0), Layout(1, 2), site, free).step_s == pytest.approx(2.5 / 2)


def test_more_parameter_servers_share_the_load_but_no_variable() -> None:
    one, four = (foretell(WIDE, Layout(ps, 64), GIGABIT, PLAIN).step_s for ps in (1, 4))
    assert four == pytest.approx(one / 4, rel=0.1)
    most = replace(WIDE, largest=int(0.9 * WIDE.variables))
    held = foretell(most, Layout(4, 64), GIGABIT, PLAIN)
    assert held.step_s == pytest.approx(0.9 * one, rel=0.1)
    assert "largest variable" in held.bottleneck


def test_the_fastest_layout_is_chosen_and_the_smaller_one_of_equals() -> None:
    candidates = [Layout(workers=4), Layout(), Layout(1, 8), Layout(workers=2)]
    assert choose(CNN, candidates, network(10), PLAIN).layout == Layout(1, 8)
    assert choose(WIDE, candidates, Hardware(1e6), PLAIN).layout == Layout()
    shared = Hardware(cores=2, shared=True)
    assert choose(CNN, [Layout(1, 1), Layout()], shared, PLAIN).layout == Layout()


def test_parameter_servers_pay_from_some_number_of_workers_or_never() -> None:
    from_ = pays_from(CNN, network(10), costs=PLAIN)
    assert from_ is not None
    assert 1 < from_ < 32
    layout = Layout(1, from_)
    same = Layout(workers=len(layout.places))
    assert foretell(CNN, layout, network(10), PLAIN).step_s < foretell(CNN, same, network(10), PLAIN).step_s
    assert pays_from(Workload(0.001, 10**9), network(1), costs=PLAIN) is None


def test_a_pace_is_told_in_images_a_second() -> None:
    assert scaling.foretell(Workload(0.5, 1), Layout(), GIGABIT).images_per_s(100) == 200
