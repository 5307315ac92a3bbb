"""Which arrays a program takes where they lie; all others go through conversion and messages."""

import gc

import numpy as np
import pytest
from fastnn._kernels.inputs import Input, Inputs
from fastnn._kernels.program import Program


def _program():
    program = Program(1)
    slots = program.add_slot(24), program.add_slot(24), program.add_slot(16)
    program.freeze()
    x, y, pair = (Input(slot, shape, np.dtype(kind), limits) for slot, shape, kind, limits in (
        (slots[0], (2, 3), "f4", ()), (slots[1], (3,), "i8", [(0, 4, -100), (0, 9, 7)]),
        (slots[2], (2, 2), "f4", ())))
    return program, Inputs(program, (x, (y, pair)))


X, Y, PAIR = np.ones((2, 3), "f4"), np.array([0, 3, -100]), np.ones((2, 2), "f4")


def _readonly(array):
    copy = array.copy()
    copy.flags.writeable = False
    return copy


@pytest.mark.parametrize("x", [X, _readonly(X), X + np.float32(3e38), X * np.float32(-0.0)])
def test_arrays_as_expected_are_bound(x):
    program, inputs = _program()
    y, pair = np.array([2, 0, 1]), PAIR.copy()
    assert inputs.take((x, (y, pair)))
    assert all(program.array(slot) is array for slot, array in enumerate((x, y, pair)))


def test_bound_arrays_live_on():
    program, inputs = _program()
    assert inputs.take((X * 5, (np.array([2, 0, 1]), PAIR * 2)))
    gc.collect()
    assert program.number(0, 4) == 5 and program.number(2, 12) == 2
    for slot, offset in ((0, 24), (0, -4), (3, 0), (-1, 0), (2, 16)):
        with pytest.raises(ValueError):
            program.number(slot, offset)


class Marked(np.ndarray):
    """A subclass, which may mean something else by its values."""


OTHERS = {
    "list": X.tolist(),
    "none": None,
    "float64": X.astype("f8"),
    "float16": X.astype("f2"),
    "integers": X.astype("i4"),
    "dates": X.astype("M8[s]"),
    "other byte order": X.astype(X.dtype.newbyteorder()),
    "other shape": np.ones((3, 2), "f4"),
    "other rank": np.ones(6, "f4"),
    "scalar": np.float32(1),
    "rows apart": np.ones((2, 6), "f4")[:, :3],
    "columns first": np.asfortranarray(X),
    "unaligned": np.frombuffer(bytes(25), "u1")[1:].view("f4").reshape(2, 3),
    "subclass": X.view(Marked),
    "masked": np.ma.masked_array(X),
    "nan": np.where(np.arange(3) == 2, np.nan, X).astype("f4"),
    "infinity": np.where(np.arange(3) == 2, -np.inf, X).astype("f4"),
    "tuple": (X,),
}


@pytest.mark.parametrize("x", OTHERS.values(), ids=OTHERS.keys())
def test_others_are_turned_down(x):
    _, inputs = _program()
    assert not inputs.take((x, (np.array([2, 0, 1]), PAIR)))


@pytest.mark.parametrize("y", [
    [0, 4, 1], [0, -1, 1], [8, 7, 1], [2**62, 0, 0], np.array([0, 1, 2], "i4"),
    np.array([0, 1, 2], "u8"), np.array([0, 1, 2], ">i8"), np.array([True, False, True])])
def test_class_numbers_in_every_range(y):
    _, inputs = _program()
    assert not inputs.take((X, (np.asarray(y), PAIR)))


@pytest.mark.parametrize("values", [
    (X, Y, PAIR), (X, [Y, PAIR]), [X, (Y, PAIR)], (X, (Y,)), (X,), X, (), ((X, Y), PAIR)])
def test_other_nestings_are_turned_down(values):
    _, inputs = _program()
    assert not inputs.take(values)


def test_contradictory_expectations():
    for shape, kind in (((2,), "f8"), ((2,), "u1"), ((1,) * 65, "f4")):
        with pytest.raises(ValueError, match="no input"):
            Input(0, shape, np.dtype(kind))
