"""What the benchmark measures is right, is all there is, and is the work that it says it is."""

import json

import numpy as np
import pytest

from fastnn.bench.graphs import Work, row_graph, work
from fastnn.bench.own import Peer
from fastnn.bench.rows import ROWS, Row, conv, floats, linear
from fastnn.bench.serve import prepare, timed
from fastnn.ops.alias import Alias
from fastnn.ops.batch_norm import BatchNormUpdate
from fastnn.ops.boundary import FromRowMajor
from fastnn.ops.detach import Detach
from fastnn.ops.function import PythonOp
from fastnn.ops.loss_part import LossPart
from fastnn.ops.max_places import PlacesOfOffsets, PutAtPlaces, ReadAtPlaces
from fastnn.runtime.threads import get_num_threads, set_num_threads
from tests.cases import CASES
from tests.cases import benchmarks as cases
from tests.harness import assert_close, run, same_bits, trace_case, upstream

STEP = 1e-6


@pytest.fixture(autouse=True)
def _threads():
    before = get_num_threads()
    yield
    set_num_threads(before)


@pytest.mark.parametrize("case", cases.CASES, ids=str)
def test_row_is_right(case):
    """Value and, along one random direction of each input, the gradient; equal bits."""
    traced = trace_case(case)
    results = run(traced.graph, traced.arrays)
    inputs = [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays()]
    expected = np.asarray(case.twin(*inputs))
    assert_close(results[0], expected, case.tolerance, case.name)
    dy = upstream(case, 0, expected.shape).astype(np.float64)
    for number, gradient in zip(case.wanted(), results[1:], strict=True):
        v = case.generator(f"direction{number}").standard_normal(gradient.shape)
        values = [(case.twin(*[a + shift * v if i == number else a
                               for i, a in enumerate(inputs)]) * dy).sum()
                  for shift in (STEP, -STEP)]
        difference = (values[0] - values[1]) / (2 * STEP)
        scale = np.sqrt((gradient.astype(np.float64) ** 2).sum() * (v**2).sum())
        assert abs(float((gradient * v).sum()) - difference) <= case.tolerance * scale, (
            f"{case.name}: gradient of input {number}")
    assert same_bits(results, run(traced.graph, traced.arrays, threads=3)), case.name


def test_names_are_unique_and_requests_are_json():
    assert len({row.name for row in ROWS}) == len(ROWS)
    for row in ROWS:
        json.dumps(row.request())


def test_every_operation_is_measured():
    """A new operation needs a row in fastnn/bench/rows.py beside its cases."""
    tested = {type(node.op) for case in CASES for node in trace_case(case).graph.nodes}
    measured = {type(node.op) for row in ROWS if not row.function.startswith("optim.")
                for node in row_graph(row).nodes}
    # The speed of the user's own Python; the copy of what comes in, and a few running statistics,
    # which are parts of every step; what takes no time; places of maxima as a user reads them.
    elsewhere = {PythonOp, FromRowMajor, BatchNormUpdate, Detach, Alias, LossPart,
                 PlacesOfOffsets, PutAtPlaces, ReadAtPlaces}
    missing = {op.__name__ for op in tested - measured - elsewhere}
    assert not missing, f"operations without a row: {sorted(missing)}"


def test_work_of_a_convolution():
    row = conv(64, 32, 128, 3, stride=2, padding=1)
    x, w, y = 128 * 64 * 32 * 32, 128 * 64 * 9, 128 * 128 * 16 * 16
    products = 2.0 * y * 64 * 9
    assert work(row) == {"forward": Work(products, 4.0 * (x + w + y)),
                         "backward": Work(2 * products, 4.0 * (x + w + y + x + w))}


def test_work_of_an_optimizer_counts_its_state():
    row = Row("optim.Adam", (floats(10, 10), floats(5)), {"lr": 0.1})
    assert work(row)["update"].bytes == 105 * 4 * 7  # g; p, m, v read and written
    row = Row("optim.RMSprop", (floats(10),), {"momentum": 0.9, "centered": True})
    assert work(row)["update"].bytes == 10 * 4 * 9


def test_work_of_muon_is_that_of_its_products():
    found = work(Row("optim.Muon", (floats(10, 30),), {"ns_steps": 2}))["update"]
    products = 2 * 10 * 10 * 30 + 2 * 10 * 10 * 10 + 2 * 10 * 10 * 30
    assert found.flops == 4 * 300 + 2 * products and found.bytes == 300 * 4 * 5


@pytest.mark.parametrize("row", [
    linear(10, 46, 32), Row("relu", (floats("N", 3, 4, 4),), batch=2),
    Row("ge", (floats("N", 3), floats("N", 3)), batch=2),
    Row("optim.SGD", (floats(4, 3, 2, 2),), {"lr": 0.01, "momentum": 0.9}),
    Row("optim.NAdam", (floats(4, 3),)), Row("optim.Muon", (floats(4, 3), floats(2, 5)))],
    ids=lambda row: row.name)
def test_fastnn_as_a_peer(row):
    passes, _ = prepare(Peer(1), {"row": row.request()})
    assert set(passes) == set(work(row))
    seconds = timed(passes, 3)
    assert all(len(each) == 3 and min(each) > 0 for each in seconds.values())
