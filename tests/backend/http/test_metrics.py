"""Counters that several processes share."""

import os

import pytest

from backend.http import metrics as module
from backend.http.metrics import Metrics
from tests.backend import making
from tests.backend.client import Client


def value(text: str, key: str) -> float:
    (line,) = [line for line in text.splitlines() if line.startswith(key + " ")]
    return float(line.rpartition(" ")[2])


def test_what_forked_processes_count_is_added_up() -> None:
    metrics = Metrics()
    children = []
    for part in (1, 2, 3):
        child = os.fork()
        if child == 0:
            metrics.use_part(part)
            for _ in range(100):
                metrics.add("hits_total", (("part", "all"),))
            metrics.add("hits_total", (("part", str(part)),), 0.5)
            os._exit(0)
        children.append(child)
    for child in children:
        assert os.waitpid(child, 0)[1] == 0
    assert metrics.totals() == {
        'hits_total{part="all"}': 300,
        'hits_total{part="1"}': 0.5,
        'hits_total{part="2"}': 0.5,
        'hits_total{part="3"}': 0.5,
    }


def test_a_worker_goes_on_where_the_one_before_it_died() -> None:
    metrics = Metrics()
    metrics.use_part(2)
    metrics.add("a_total")
    metrics.use_part(5)
    metrics.add("a_total")
    metrics.use_part(2)
    metrics.add("a_total")
    metrics.add("b_total")
    assert metrics.totals() == {"a_total": 3, "b_total": 1}


def test_a_histogram_counts_up_over_its_limits() -> None:
    metrics = Metrics()
    for seconds in (0.0005, 0.001, 0.02, 99):
        metrics.observe("wait_seconds", seconds, (("route", "/x"),))
    text = metrics.render({"wait_seconds": ("histogram", "Waiting.")}, [])
    assert text.startswith("# HELP wait_seconds Waiting.\n# TYPE wait_seconds histogram\n")
    assert value(text, 'wait_seconds_bucket{route="/x",le="0.001"}') == 2
    assert value(text, 'wait_seconds_bucket{route="/x",le="0.025"}') == 3
    assert value(text, 'wait_seconds_bucket{route="/x",le="10"}') == 3
    assert value(text, 'wait_seconds_bucket{route="/x",le="+Inf"}') == 4
    assert value(text, 'wait_seconds_count{route="/x"}') == 4
    assert value(text, 'wait_seconds_sum{route="/x"}') == pytest.approx(99.0215)


def test_labels_are_escaped() -> None:
    metrics = Metrics()
    metrics.add("a_total", (("label", 'a"b\\c\nd'),))
    text = metrics.render({"a_total": ("counter", "A.")}, [("g", (), 1.0)])
    assert text.splitlines()[-1] == r'a_total{label="a\"b\\c\nd"} 1'


def test_a_full_part_drops_new_keys_and_keeps_the_old_ones_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 256)
    metrics = Metrics()
    for number in range(50):
        metrics.add("a_total", (("n", str(number)),))
    for _ in range(3):
        metrics.add("a_total", (("n", "0"),))
    assert metrics.totals()['a_total{n="0"}'] == 4


def test_the_route_shows_requests_answers_stages_and_what_serves(seven: Client) -> None:
    canvas = making.data_url(making.png(making.seven()))
    for _ in range(3):
        seven.post("/predict/", data=canvas)
    seven.post("/predict", data=canvas)
    seven.post("/predict", data=b"nonsense", content_type="text/plain")
    seven.get("/no/such/route")
    answer = seven.get("/metrics")
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    text = answer.text
    assert value(text, 'workbench_requests_total{route="/predict",method="POST",status="200"}') == 4
    assert value(text, 'workbench_requests_total{route="/predict",method="POST",status="415"}') == 1
    assert value(text, 'workbench_requests_total{route="none",method="none",status="404"}') == 1
    assert value(text, 'workbench_predictions_total{model="mnist-cnn",version="7",class="7"}') == 4
    assert value(text, 'workbench_predict_stage_seconds_count{stage="picture"}') == 4
    assert value(text, 'workbench_request_seconds_count{route="/predict"}') == 5
    assert value(text, 'workbench_model_info{model="mnist-cnn",version="7",engine="onnxruntime"}') == 1
    assert value(text, "workbench_ready") == 1
