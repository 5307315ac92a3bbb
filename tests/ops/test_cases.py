"""Every case: value and gradients against its float64 twin, bits, fusion, and kinds of arrays.

A failure names its case; run it alone with  pytest tests/ops/test_cases.py -k 'the name'.
"""

import numpy as np
import pytest

import fastnn as fn
from fastnn.graph import Op
from fastnn.ops import binary, pointwise
from fastnn.ops.accumulate import Accumulate
from fastnn.ops.keep import Keep
from fastnn.ops.muon_direction import MuonDirection
from fastnn.ops.pack_weight import PackWeight
from fastnn.ops.sum_of_squares import SumOfSquares
from fastnn.ops.update import Update
from fastnn.ops.update_rows import RowSums, UpdateRows
from fastnn.plan.cost.predict import FIXED
from fastnn.plan.fusion.fuse import EXACT, fuse
from tests.cases import CASES
from tests.cases.case import Case
from tests.cases.dropout import SEED
from tests.harness import assert_close, run, run_guarded, same_bits, trace_case, upstream

STEP = 1e-6  # of central differences in float64: error 1e-12 from the step, 1e-10 from rounding
ALL_ELEMENTS, SAMPLED, DIRECTIONS = 150, 24, 3

each_case = pytest.mark.parametrize("case", CASES, ids=str)


def _twin_inputs(case: Case) -> list[np.ndarray]:
    return [a.astype(np.float64) if a.dtype == np.float32 else a for a in case.arrays()]


@each_case
def test_value(case):
    traced = trace_case(case, gradient=False)
    (value,) = run(traced.graph, traced.arrays)
    expected = np.asarray(case.twin(*_twin_inputs(case)))
    assert_close(value, expected, case.tolerance, f"{case.name}: value")


def _directions(case: Case, array: np.ndarray) -> list[np.ndarray]:
    """Unit vectors for each element of a small array; a sample and random directions of others."""
    rng = case.generator("directions")
    if array.size <= ALL_ELEMENTS:
        places, random = range(array.size), 0
    else:
        sampled = SAMPLED if array.size <= 2000 else 2
        places, random = rng.choice(array.size, sampled, replace=False), DIRECTIONS
    units = [(np.arange(array.size) == place).reshape(array.shape) * 1.0 for place in places]
    return units + [rng.standard_normal(array.shape) for _ in range(random)]


def _check_against_differences(case: Case, number: int, gradient: np.ndarray) -> None:
    inputs = _twin_inputs(case)
    dy = upstream(case, 0, np.shape(case.twin(*inputs))).astype(np.float64)
    rms = np.sqrt(np.mean(gradient.astype(np.float64) ** 2))

    def loss(shift: np.ndarray) -> float:
        moved = [a + shift if i == number else a for i, a in enumerate(inputs)]
        return float((case.twin(*moved) * dy).sum())

    for v in _directions(case, gradient):
        expected = (loss(STEP * v) - loss(-STEP * v)) / (2 * STEP)
        got = float((gradient * v).sum())
        length = np.sqrt((v**2).sum())
        slack = case.tolerance * (abs(expected) + rms * length) * 2 + 2e-8 * length
        assert abs(got - expected) <= slack, (
            f"{case.name}: gradient of input {number} along {np.argwhere(v)[:1].tolist()}: "
            f"got {got!r}, differences {expected!r}")


@each_case
def test_gradients(case):
    wanted = case.wanted()
    if not wanted:
        pytest.skip("no gradient")
    traced = trace_case(case)
    results = run(traced.graph, traced.arrays)[traced.values:]
    if case.gradient is not None:
        inputs = _twin_inputs(case)
        dy = upstream(case, 0, np.shape(case.twin(*inputs))).astype(np.float64)
        for number, got, expected in zip(wanted, results, case.gradient(dy, *inputs), strict=True):
            assert_close(got, expected, case.tolerance, f"{case.name}: gradient of {number}")
        return
    for number, got in zip(wanted, results, strict=True):
        assert got.shape == traced.arrays[number].shape
        assert np.isfinite(got).all(), f"{case.name}: gradient of input {number}"
        _check_against_differences(case, number, got)


@each_case
def test_same_bits_at_any_thread_count(case):
    traced = trace_case(case)
    one = run_guarded(traced.graph, traced.arrays)  # and wherever its buffers lie
    for threads in (2, 3, 4):
        assert same_bits(one, run(traced.graph, traced.arrays, threads)), (
            f"{case.name}: {threads} threads")


@each_case
def test_fused_equals_unfused(case):
    """To the bit, by the rewrites that keep all sums as they are; the rest meets the twin."""
    traced = trace_case(case)
    for part in (traced, trace_case(case, gradient=False)):
        fused = part.graph
        for rewrite in EXACT:
            fused = rewrite(fused)
        before = run(part.graph, part.arrays, fused=False)
        assert same_bits(before, run(fused, part.arrays, fused=False)), case.name


class _Wrapper(fn.nn.Module):
    def __init__(self, case: Case):
        super().__init__()
        self.case = case

    def forward(self, *inputs):
        return self.case.build(*inputs)


def _kinds(array: np.ndarray) -> dict[str, np.ndarray]:
    """The same values in other arrays."""
    read_only = array.copy()
    read_only.flags.writeable = False
    wide = np.stack([array, array + 1], axis=-1)
    kinds = {"read-only": read_only, "non-contiguous": wide[..., 0],
             "Fortran order": np.array(array, order="F"),
             "big-endian": array.astype(array.dtype.newbyteorder(">")),
             "negative strides": array[..., ::-1].copy()[..., ::-1] if array.ndim else array}
    if array.dtype == np.float32:
        kinds["float64"] = array.astype(np.float64)
    elif array.min() >= 0:
        kinds["uint8"] = array.astype(np.uint8)
    return kinds


@each_case
def test_kinds_of_arrays(case):
    model, arrays = _Wrapper(case), case.arrays()
    fn.manual_seed(SEED)
    expected = model(*arrays)
    kinds = [_kinds(array) for array in arrays]
    for kind in {name for some in kinds for name in some}:
        fn.manual_seed(SEED)
        given = [some.get(kind, array) for some, array in zip(kinds, arrays, strict=True)]
        assert same_bits([expected], [model(*given)]), f"{case.name}: {kind}"


def _subclasses(cls: type) -> set[type]:
    return {cls}.union(*(_subclasses(sub) for sub in cls.__subclasses__()))


# Their examples depend on each other, or nobody knows: such a batch is never split.
MIXED = {"BatchNormStats", "BatchNormUpdate", "CrossEntropy", "Dropout", "NLL", "PythonOp",
         "Random"}


def test_every_operation_says_whether_a_batch_may_be_split():
    forward = {type(node.op) for case in CASES
               for node in trace_case(case, gradient=False).graph.nodes}
    unsaid = {op.__name__ for op in forward if op.by_example is Op.by_example}
    assert unsaid == MIXED, (
        f"{sorted(unsaid ^ MIXED)}: say in `by_example` of the operation whether each row of its "
        "output follows from the same example alone, or add its name to MIXED")


def test_work_is_of_known_kinds():
    for case in CASES:
        for node in fuse(trace_case(case).graph).nodes:
            strange = node.op.work(node).keys() - FIXED.keys()
            assert not strange, (f"{node.op.name}: `work` names {sorted(strange)}, of which the "
                                 "planner knows no rate (plan/cost/predict.py, FIXED)")


def test_every_operation_has_a_case():
    graphs = [trace_case(case).graph for case in CASES]
    graphs += [trace_case(case, gradient=False).graph for case in CASES]
    nodes = [node for graph in graphs for g in (graph, fuse(graph)) for node in g.nodes]
    # Those that change memory: tests/optim, for each optimizer's kernel, and
    # tests/engine/test_gradient_accumulation.py. What is read before: tests/engine/test_finite.py.
    # What is kept between runs: tests/engine/test_kept_values.py.
    elsewhere = {Update, Accumulate, SumOfSquares, Keep, PackWeight, RowSums,
                 UpdateRows, MuonDirection}
    operations = {op for op in _subclasses(Op)
                  if op.__module__.startswith("fastnn.") and op.lower is not Op.lower}
    missing = operations - {type(node.op) for node in nodes} - elsewhere
    assert not missing, f"operations without a case: {sorted(op.__name__ for op in missing)}"
    rows = {node.op.row for node in nodes if hasattr(node.op, "row")}
    missing_rows = {*pointwise.ROWS, *binary.ROWS} - rows
    assert not missing_rows, f"rows without a case in cases/pointwise.py: {sorted(missing_rows)}"
