"""Rates of the cost model: measured once and kept, or fixed; never asked for without a budget."""

import json
import os
import subprocess
from itertools import product

import numpy as np
import pytest
from fastnn._kernels.dispatch import level

import fastnn as fn
from fastnn import nn
from fastnn.graph import leaf
from fastnn.plan.cost import calibrate, rates
from fastnn.plan.cost.calibrate import MINIATURES, fit, miniature
from fastnn.plan.cost.predict import CACHE, FAR, FIXED, PASSES, Rates, amounts_of, fixed_rates
from fastnn.spec import Spec


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache folder, and no rates in this process."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    rates._rates.cache_clear()
    yield tmp_path / "fastnn"
    rates._rates.cache_clear()


@pytest.fixture
def measured(monkeypatch):
    """Instead of measuring: each time other rates, and a count."""
    calls = []

    def measure(threads, instructions):
        calls.append((threads, instructions))
        some = {kind: rate * (1 + len(calls)) for kind, rate in FIXED.items()}
        return json.dumps({"one_thread": some, "team": some})

    monkeypatch.setattr(rates, "_measure", measure)
    return calls


def _step(budget=None):
    model = nn.Sequential(nn.Linear(10, 32), nn.ReLU(), nn.Linear(32, 10))
    optimizer = fn.optim.SGD(model.parameters(), lr=0.1)
    return fn.TrainStep(model, nn.CrossEntropyLoss(), optimizer, memory_budget=budget)


def test_this_machine_is_measured_once(folder):
    found = rates.machine_rates(1)
    assert found != fixed_rates(1) and found.threads == 1
    assert len(list(folder.iterdir())) == 1
    products = [found.one_thread[kind] for kind in FIXED if kind.endswith("products")]
    assert all(1e-14 < rate < 1e-6 for rate in products)
    rates._rates.cache_clear()
    assert rates.machine_rates(1) == found


def test_what_is_kept_is_used(folder, measured):
    one, two = rates.machine_rates(1), rates.machine_rates(2)
    assert [threads for threads, _ in measured] == [1, 2] and one.one_thread != two.one_thread
    rates._rates.cache_clear()
    assert (rates.machine_rates(1), rates.machine_rates(2)) == (one, two)
    assert len(measured) == 2


def test_rates_of_other_bytes_are_not_used(folder, measured, monkeypatch):
    """What a rate is the price of follows from CACHE, which a checkout may change in a version."""
    one = rates.machine_rates(1)
    rates._rates.cache_clear()
    monkeypatch.setattr(rates, "CACHE", 2 * CACHE)
    assert rates.machine_rates(1) != one and len(measured) == 2


def test_nothing_is_measured_without_a_budget(folder, measured):
    step = _step()
    plan = step.plan((8, 10))
    assert not measured
    assert plan.seconds > 0 and len(measured) == 1
    _step("1GiB").plan((8, 10)).frontier()
    assert len(measured) == 1


@pytest.mark.parametrize("text", [
    "", "[]", "{", "[" * 100_000, '{"one_thread": 1, "team": 2}', '{"one_thread": {}, "team": {}}',
    json.dumps({"one_thread": FIXED | {"call": -1.0}, "team": FIXED}),
    json.dumps({"one_thread": FIXED | {"call": 7.0}, "team": FIXED}).replace("7.0", "1e400"),
    json.dumps({"one_thread": FIXED | {"call": float("nan")}, "team": FIXED})])
def test_a_file_that_says_nothing_is_made_anew(folder, measured, text):
    rates.machine_rates(1)
    (file,) = folder.iterdir()
    file.write_text(text)
    rates._rates.cache_clear()
    assert rates.machine_rates(1).one_thread["products"] == 3 * FIXED["products"]
    assert len(measured) == 2


def test_fixed_rates_where_nothing_can_be_kept_or_measured(folder, measured, monkeypatch):
    folder.touch()  # a file where the folder would be
    assert rates.machine_rates(1) == fixed_rates(1) and not measured
    folder.unlink()
    rates._rates.cache_clear()

    def fail(threads, instructions):
        raise subprocess.TimeoutExpired("python", 1.0)

    monkeypatch.setattr(rates, "_measure", fail)
    assert rates.machine_rates(2) == fixed_rates(2)
    assert os.listdir(folder) == []


def test_a_measurement_that_ends_badly_leaves_nothing(folder, monkeypatch):
    monkeypatch.setattr(rates.sys, "executable", "false")
    assert rates.machine_rates(1) == fixed_rates(1)
    assert os.listdir(folder) == []


def test_a_measurement_is_of_the_same_instructions_and_reads_nothing(folder, monkeypatch):
    """Standard input belongs to the program that plans."""
    given = []

    def run(command, **options):
        given.append((options["stdin"], options["env"]["FASTNN_ISA"]))
        raise subprocess.SubprocessError

    monkeypatch.setattr(rates.subprocess, "run", run)
    assert rates.machine_rates(1) == fixed_rates(1)
    assert given == [(subprocess.DEVNULL, level())]


def test_a_cache_folder_is_made_with_those_above_it(folder, measured, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / "not" / "there"))
    assert rates.machine_rates(1) == rates.machine_rates(1) != fixed_rates(1)
    assert len(measured) == 1


def test_a_team_is_measured_beside_one_thread(monkeypatch):
    """A team's prior is one thread's rates, and its call costs what starting a team does."""
    monkeypatch.setattr(calibrate, "ROUNDS", 3)
    monkeypatch.setattr(calibrate, "MINIATURES", MINIATURES[-1:])
    found = calibrate.calibrate(2)
    assert found["one_thread"].keys() == found["team"].keys() == FIXED.keys()
    assert 0 < found["one_thread"]["call"] < found["team"]["call"]


def _told_times(told):
    """All nodes of the miniatures, with the times that rates say."""
    nodes = [node for build, shape in MINIATURES for node in miniature(build, shape, 1).nodes]
    return [(node, Rates(1, told, told).node_seconds(node)) for node in nodes
            if node.op.view_of(node) is None]


EXPECTED = {kind: rate or 1e-11 for kind, rate in FIXED.items()} | {"call": 2e-6}


def test_the_fit_finds_a_machine_of_another_speed():
    times = _told_times({kind: 3 * rate for kind, rate in EXPECTED.items()})
    found = fit(times, EXPECTED)
    for kind, rate in EXPECTED.items():
        assert found[kind] == pytest.approx(3 * rate, rel=1e-3), kind


def test_the_fit_finds_a_kind_that_is_dearer_than_expected():
    """What many nodes are made of is found; all of their time is in any case."""
    told = EXPECTED | {"matrix products": 2e-11, "norm gradient" + FAR: 2e-10}
    times = _told_times(told)
    found = fit(times, EXPECTED)
    for kind in ("matrix products", "norm gradient" + FAR):
        assert found[kind] == pytest.approx(told[kind], rel=0.2), kind
    seconds = sum(Rates(1, found, found).node_seconds(node) for node, _ in times)
    assert seconds == pytest.approx(sum(time for _, time in times), rel=0.03)


@pytest.mark.parametrize("prior", [calibrate.PRIOR, 0.0])
def test_noise_does_not_tell_one_kind_from_another(prior, monkeypatch):
    """Winograd's products and transforms come together: least squares alone takes one for other."""
    monkeypatch.setattr(calibrate, "PRIOR", prior)
    rng = np.random.default_rng(0)
    times = [(node, time * rng.uniform(0.8, 1.25)) for node, time in _told_times(EXPECTED)]
    found = fit(times, EXPECTED)
    off = [found[kind] / EXPECTED[kind] for kind in ("tile products", "tile values")]
    spread = max(max(share, 1 / share) for share in off)
    assert (spread < 1.2) == (prior > 0), off


def test_bytes_beyond_the_cache_come_from_memory():
    x = leaf("input", 0, Spec((1 << 20,)))
    amounts = amounts_of(fn.tanh(x).node)
    assert amounts == {"call": 1.0, "pass": CACHE, "pass" + FAR: (8 << 20) - CACHE}
    assert {kind + FAR for kind in PASSES} < set(FIXED)


@pytest.mark.parametrize("stride, padding, dilation", [*product((1, 2, 3), (0, 1, 3), (1, 2))])
def test_taps_outside_of_the_image_are_no_work(stride, padding, dilation):
    size, taps = 9, 3
    outputs = (size + 2 * padding - dilation * (taps - 1) - 1) // stride + 1
    inside = sum(0 <= i * stride + u * dilation - padding < size
                 for i in range(outputs) for u in range(taps))
    x = leaf("input", 0, Spec((2, 8, size, size)))
    weight = leaf("input", 1, Spec((13, 8, taps, taps)))
    fn.set_conv_algorithm("direct")
    try:
        node = fn.conv2d(x, weight, None, stride, padding, dilation).node
    finally:
        fn.set_conv_algorithm("auto")
    assert node.outputs[0].shape[2:] == (outputs, outputs)
    assert node.op.work(node)["products"] == 2 * 2 * inside**2 * 8 * 13


class _Scripted:
    """An executor whose calls take the seconds that it is given, and a clock that shows them."""

    def __init__(self, rounds):
        self.now, self._left = 0.0, [time for seconds in rounds for time in seconds]
        self.ran = []

    def perf_counter(self):
        return self.now

    def run(self, start, end):
        self.ran.append((start, end))
        self.now += 1.0 + (self._left.pop(0) if end > start else 0.0)


def test_a_nodes_time_is_the_third_smallest_after_a_round_that_warms_up(monkeypatch):
    """What a call without work takes is no node's time; a view takes none."""
    x = leaf("input", 0, Spec((4, 6)))
    nodes = (fn.tanh(x).node, fn.reshape(fn.tanh(x), (24,)).node, fn.exp(x).node)
    first = [0.001, *np.arange(calibrate.ROUNDS, 0, -1)]
    second = [500.0, *np.arange(calibrate.ROUNDS) / 8]
    clock = _Scripted(zip(first, second, strict=True))
    monkeypatch.setattr(calibrate.time, "perf_counter", clock.perf_counter)
    found = calibrate.times([calibrate.Miniature(nodes, (1, 0, 2), clock)])
    assert [node for node, _ in found] == [nodes[0], nodes[2]]
    assert [time for _, time in found] == pytest.approx([3.0, 2 / 8])
    assert clock.ran[:6] == [(0, 0), (0, 1), (1, 1), (1, 1), (1, 1), (1, 3)]
