"""Arena, programs, and the floating-point state of the caller."""

import time
from typing import ClassVar

import numpy as np
import pytest
from fastnn._kernels.program import Program

import fastnn as fn
from fastnn._kernels.registry import kernel
from fastnn.runtime.arena import aligned_array, aligned_bytes
from tests.harness import executor_of, make_plan

SUBNORMAL = np.float32(1e-39)


@pytest.mark.parametrize("size", [1, 63, 64, 4097, (2 << 20) - 1, 2 << 20, (5 << 20) + 3])
def test_arenas_are_aligned_and_zero(size):
    memory = aligned_bytes(size)
    assert memory.nbytes == size and not memory.any()
    assert memory.ctypes.data % (2 << 20 if size >= 2 << 20 else 64) == 0
    memory[:] = 1


def test_aligned_arrays():
    array = aligned_array((3, 5), np.int64)
    assert array.shape == (3, 5) and array.dtype == np.int64
    assert array.ctypes.data % 64 == 0 and array.flags.c_contiguous
    assert aligned_array((), np.float32).shape == ()


def test_large_arrays_begin_at_different_places_of_a_page():
    arrays = [aligned_array((size,), np.uint8) for size in (1 << 16, 200_001, 1 << 20, 4 << 20)]
    assert not any(array.any() for array in arrays)
    places = [array.ctypes.data % 4096 for array in arrays]
    assert len(set(places)) == 4 and not any(place % 64 for place in places)
    for array in arrays:
        array[:] = 1


def _subnormals_live():
    return SUBNORMAL * np.float32(0.5) > 0 and bool((np.full(9, SUBNORMAL) * 0.5 > 0).all())


class _Look(fn.Function):
    """Notes whether subnormals are kept while it runs."""

    seen: ClassVar[list[bool]] = []

    @staticmethod
    def forward(ctx, x):
        _Look.seen.append(bool(_subnormals_live()))
        return x * 2

    @staticmethod
    def backward(ctx, dy):
        return dy * 2


class _Fails(fn.Function):
    @staticmethod
    def forward(ctx, x):
        raise RuntimeError("no value today")


class _Model(fn.nn.Module):
    def __init__(self, build):
        super().__init__()
        self.build = build

    def forward(self, x):
        return self.build(x)


@pytest.mark.parametrize("threads", [1, 2])
def test_the_callers_floating_point_state_is_put_back(threads):
    fn.set_num_threads(threads)
    x = np.full((300, 300), SUBNORMAL)
    _Look.seen.clear()
    assert _subnormals_live()
    y = _Model(lambda x: _Look.apply(fn.square(x * 0.5)) * 0.5)(x)
    assert _subnormals_live(), "after a run"
    assert _Look.seen == [True], "in a function of the user's own"
    assert not y.any(), "inside kernels subnormals are zero"
    with pytest.raises(RuntimeError, match="today"):
        _Model(lambda x: _Fails.apply(x * 0.5))(x)
    assert _subnormals_live(), "after an error"


def test_subnormal_inputs_are_not_slow():
    model = _Model(lambda x: fn.tanh(x * x * 0.25 + x * 0.5))

    def seconds(value):
        x = np.full((256, 1024), value, np.float32)
        model(x)
        times = []
        for _ in range(9):
            start = time.perf_counter()
            model(x)
            times.append(time.perf_counter() - start)
        return min(times)

    assert seconds(1e-39) < 4 * seconds(0.5)


def test_a_function_cannot_change_its_inputs():
    class Greedy(fn.Function):
        @staticmethod
        def forward(ctx, x):
            x += 1
            return x

    with pytest.raises(ValueError, match="read-only"):
        _Model(lambda x: Greedy.apply(fn.relu(x)))(np.ones(3, np.float32))


def test_functions_of_the_wrong_shape_or_count():
    class Wrong(fn.Function):
        @staticmethod
        def forward(ctx, x):
            return x.T

    class Two(fn.Function):
        @staticmethod
        def forward(ctx, x):
            return x, x

    for function in (Wrong, Two):
        with pytest.raises(fn.ShapeError, match=function.__name__):
            _Model(function.apply)(np.ones((2, 3), np.float32))


def test_programs_check_every_buffer():
    program = Program(1)
    slot = program.add_slot(40)
    relu = kernel("unary_forward")
    whole = (slot, 0, 40)
    for buffers in ([whole], [whole, (slot, 4, 40)], [(slot, -4, 40), whole],
                    [(slot, 0, 36), whole]):
        with pytest.raises(ValueError):
            program.add(relu, buffers, (10, 0), ())
    for team in (0, 2):
        with pytest.raises(ValueError, match="team"):
            program.add(relu, [whole, whole], (10, 0), (), team)
    program.add(relu, [(slot, 0, 40), (slot, 0, 40)], (10, 0), ())
    program.freeze()
    with pytest.raises(ValueError, match="not bound"):
        program.run(0, 1)
    for bad in (np.zeros(9, np.float32), np.zeros((10, 2), np.float32)[:, 0]):
        with pytest.raises(ValueError, match="contiguous"):
            program.bind(slot, bad)
    memory = np.linspace(-1, 1, 10, dtype=np.float32)
    program.bind(slot, memory)
    for first, last in ((0, 2), (-1, 1), (1, 0)):
        with pytest.raises(ValueError, match="outside"):
            program.run(first, last)
    program.run(0, 1)
    np.testing.assert_array_equal(memory, np.linspace(-1, 1, 10, dtype=np.float32).clip(0))
    with pytest.raises(ValueError):
        Program(0)


def test_an_empty_program_runs():
    x = fn.graph.leaf("input", 0, fn.graph.Spec((3,)))
    plan = make_plan(fn.graph.Graph.trace([x], [x], (), [x]))
    executor = executor_of(plan)
    executor.bind([np.ones(3, np.float32)])
    executor.compute()
    np.testing.assert_array_equal(executor.read(x), np.ones(3))
