"""Estimates for layouts that no job had: foretold from another layout or the dry run, and what would be faster."""

from dataclasses import replace

import pytest

from workbench.estimates import scaling
from workbench.estimates.estimate import STARTING_S, Estimate, estimate
from workbench.estimates.layouts import describe
from workbench.estimates.scaling import Hardware, Workload, network
from workbench.events import Progress
from workbench.jobs import Job
from workbench.jobs.values import StateChange
from workbench.machines import Layout
from workbench.tasks.check import Checked

CHECKED = Checked(
    examples=10_000,
    test_examples=10,
    input_shape=(28, 28, 1),
    output_shape=(10,),
    steps_per_epoch=500,
    parameters=30_000,
    largest=10_000,
    epochs=2,
    batch_size=20,
    step_s=0.1,
)
HERE = Hardware(cores=2, shared=True)
AWAY = network(10)
MODEL = 4 * 30_000


def trained(id: int, ps: int, workers: int, training_s: float, steps: int = 1000, epochs: int = 2) -> Job:
    """A job that took 3 s before its training and 5 s after it."""
    times = (
        ("initializing", 0.0),
        ("training", 3.0),
        ("exporting", 3 + training_s),
        ("completed", 8 + training_s),
    )
    progress = Progress(steps, steps, epochs)
    return Job(
        id=id,
        name="digits",
        requester="ann",
        state="completed",
        recipe=None,
        recipe_sha256="",
        ps=ps,
        workers=workers,
        epochs=None,
        provider="aws",
        instance_type=None,
        cluster=None,
        attempt=1,
        origin=1,
        progress=progress,
        accuracy=None,
        version=1,
        error=None,
        machines=(),
        changes=tuple(StateChange(1, state, t) for state, t in times),
        execution_s=8 + training_s,
        price_per_hour=None,
        lease=None,
        terminate_asked=None,
    )


def ask(
    layout: Layout, site: Hardware, *former: Job, checked: Checked | None = None, **more: object
) -> Estimate:
    return estimate(former, checked, None, 1.0, layout=layout, site=site, **more)  # type: ignore[arg-type]


@pytest.mark.parametrize("layout", [Layout(workers=4), Layout(1, 8)])
def test_a_layout_is_foretold_from_the_dry_run(layout: Layout) -> None:
    found = ask(layout, AWAY, checked=CHECKED)
    work = Workload(0.1, 4 * CHECKED.parameters, 4 * CHECKED.largest)
    assert found.seconds == pytest.approx(STARTING_S + 1000 * scaling.foretell(work, layout, AWAY).step_s)
    assert found.seconds is not None
    assert found.seconds < STARTING_S + 1000 * 0.1
    assert "a guess: 1,000 steps of" in found.basis
    assert "foretold from 100 ms with one process in the dry run" in found.basis
    assert "links are assumed to have 10 Gbit/s" in found.basis


def test_machines_on_one_computer_are_not_foretold_to_be_faster_than_its_cores() -> None:
    one, more = (ask(layout, HERE, checked=CHECKED) for layout in (Layout(), Layout(1, 8)))
    assert one.seconds is not None
    assert more.seconds is not None
    assert more.seconds > (one.seconds - STARTING_S) * scaling.MEASURED.busy
    assert "all machines share this computer's 2 cores" in more.basis


def test_a_job_of_another_layout_tells_more_than_the_dry_run() -> None:
    former = trained(7, 0, 2, training_s=60)
    found = ask(Layout(1, 8), AWAY, former, checked=CHECKED)
    assert "foretold from 60 ms with 2 synchronous workers in job 7" in found.basis
    alone = ask(Layout(1, 8), AWAY, former, variables={7: MODEL})
    assert alone == found
    back = trained(8, 1, 8, training_s=(found.seconds or 0) - 8)
    again = ask(Layout(workers=2), AWAY, back, variables={8: MODEL})
    assert again.seconds == pytest.approx(former.execution_s, rel=1e-3)


def test_a_job_of_the_same_layout_is_believed_before_any_model() -> None:
    jobs = trained(7, 0, 2, training_s=60), trained(6, 1, 2, training_s=99)
    found = ask(Layout(1, 2), AWAY, *jobs, variables={7: MODEL, 6: MODEL})
    assert found.seconds == 107
    assert found.basis == "measured: job 6 had the same recipe and layout"


def test_epochs_are_scaled_whatever_the_source() -> None:
    former = trained(7, 0, 2, training_s=60)
    twice = estimate([former], None, 4, 0.0, layout=Layout(1, 8), site=AWAY, variables={7: MODEL})
    once = estimate([former], None, 2, 0.0, layout=Layout(1, 8), site=AWAY, variables={7: MODEL})
    assert twice.seconds == pytest.approx(2 * (once.seconds or 0) - 8)


@pytest.mark.parametrize(
    "job",
    [
        trained(7, 0, 2, training_s=0),
        replace(trained(7, 0, 2, training_s=60), attempt=2),
        replace(trained(7, 0, 2, training_s=60), progress=None),
    ],
    ids=["no time", "second attempt", "no steps"],
)
def test_a_job_that_tells_no_pace_is_no_source(job: Job) -> None:
    assert ask(Layout(1, 2), AWAY, job, variables={7: MODEL}).seconds is None


def test_a_job_whose_model_has_an_unknown_size_is_no_source() -> None:
    assert ask(Layout(1, 2), AWAY, trained(7, 0, 2, training_s=60)).seconds is None


def test_a_faster_layout_is_proposed_in_one_line() -> None:
    found = ask(Layout(), AWAY, checked=CHECKED)
    assert "would take about" in found.hint
    assert "% less" in found.hint
    assert "pay" in found.hint
    assert "workers on this network" in found.hint
    assert "\n" not in found.hint


def test_on_one_computer_one_process_is_proposed_and_nothing_to_one_process_that_is_the_fastest() -> None:
    slow = replace(CHECKED, parameters=10_000_000)
    assert ask(Layout(1, 4), HERE, checked=slow).hint.startswith("one process would take about")
    assert ask(Layout(), HERE, checked=slow).hint == ""


def test_parameter_servers_that_never_pay_are_not_proposed() -> None:
    huge = replace(CHECKED, parameters=300_000_000, step_s=0.01)
    assert ask(Layout(), AWAY, checked=huge).hint == "parameter servers do not pay on this network"


@pytest.mark.parametrize("step_s", [0.001, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("parameters", [1_000, 100_000, 10_000_000])
def test_no_layout_is_proposed_that_costs_much_more(step_s: float, parameters: int) -> None:
    checked = replace(CHECKED, step_s=step_s, parameters=parameters, epochs=100)
    alone = ask(Layout(), AWAY, checked=checked)
    everything = [Layout(ps, workers) for ps in range(5) for workers in range(1, 17)]
    proposed = [other for other in everything if alone.hint.startswith(f"{describe(other)} would")]
    for other in proposed:
        found = ask(other, AWAY, checked=checked)
        assert len(other.places) * (found.seconds or 0) <= 2 * (alone.seconds or 0)
        assert (found.seconds or 0) < 0.9 * (alone.seconds or 0)


def test_an_estimate_offers_the_layouts_of_the_site_and_marks_the_asked_and_the_better() -> None:
    found = estimate([], CHECKED, None, 0.4, layout=Layout(workers=2), site=AWAY)
    layouts = [one.layout for one in found.choices]
    assert layouts == sorted(layouts, key=lambda one: (len(one.places), one.ps))
    assert {Layout(), Layout(workers=16), Layout(2, 8)} <= set(layouts)
    (asked,) = (one for one in found.choices if one.chosen)
    assert asked.layout == Layout(workers=2)
    assert asked.seconds == found.seconds
    assert asked.price == pytest.approx(found.price)
    better = [one for one in found.choices if one.better]
    assert [f"{describe(one.layout)} would" in found.hint for one in better] == [True]
    assert better[0].seconds < asked.seconds
    assert better[0].price == pytest.approx(0.2 * len(better[0].layout.places) * better[0].seconds / 3600)


def test_a_layout_that_nobody_would_propose_is_among_the_choices_when_it_is_asked_for() -> None:
    found = estimate([], CHECKED, None, 0.0, layout=Layout(1, 7), site=HERE)
    assert [one.layout for one in found.choices if one.chosen] == [Layout(1, 7)]
    assert all(one.price == 0 for one in found.choices)
    alone = estimate([], CHECKED, None, 0.0, layout=Layout(), site=HERE)
    assert {one.layout for one in alone.choices} == {Layout(), Layout(workers=2), Layout(1, 2)}
    assert estimate([], None, None, 0.0).choices == ()


def test_what_was_measured_of_the_layout_is_what_its_choice_says() -> None:
    jobs = [trained(1, 0, 2, 100.0)]
    found = estimate(jobs, CHECKED, 2, 0.4, layout=Layout(workers=2), site=AWAY)
    assert "measured" in found.basis
    assert [one.seconds for one in found.choices if one.chosen] == [found.seconds]
