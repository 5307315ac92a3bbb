"""The guards themselves: each kind of stray access is caught, and none is imagined."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.memory import PAGE, Guarded, blank

SIZES = [(1, 1), (5, 1), (12, 4), (64, 8), (PAGE - 4, 4), (PAGE, 64), (3 * PAGE + 20, 4)]


def _beside(guard, offset):
    """One byte at `offset` from the start of the buffer, where NumPy's view would not reach."""
    place = guard.bytes.__array_interface__["data"][0] + offset
    return np.ctypeslib.as_array((np.ctypeslib.ctypes.c_uint8 * 1).from_address(place))


@pytest.mark.parametrize("size, alignment", SIZES)
@pytest.mark.parametrize("at_end", [True, False])
def test_every_byte_beside_the_buffer_is_watched(size, alignment, at_end):
    guard = Guarded(size, alignment, at_end)
    start = guard.bytes.__array_interface__["data"][0]
    assert guard.bytes.size == size and start % alignment == 0
    guard.bytes[:] = 0xFF
    guard.check("x")
    sides = [("after", size, 1), ("before", -1, -1)]
    for side, first, way in sides:
        for offset in range(first, first + 9 * way, way):
            if (start + offset) // PAGE not in range(_page(guard, 0), _page(guard, 1)):
                break  # the next page is forbidden
            byte = _beside(guard, offset)
            was, byte[0] = byte[0], 0
            with pytest.raises(AssertionError, match=f"x: wrote {side} the buffer"):
                guard.check("x")
            byte[0] = was
    guard.check("x")


def _page(guard, end):
    """Number of the guard's first page, or of the one after its last."""
    zone = guard._after if end else guard._before
    address = zone.__array_interface__["data"][0] + (zone.size if end else 0)
    return address // PAGE


@pytest.mark.parametrize("code", [
    "peek(start + 100)", "peek(start + 4096 + 99)", "peek(near - 9)", "poke(start + 100, 0)"])
def test_forbidden_pages_end_the_process(code):
    setup = ("import ctypes; from tests.memory import Guarded\n"
             "def address(g): return g.bytes.__array_interface__['data'][0]\n"
             "def peek(a): return ctypes.c_uint8.from_address(a).value\n"
             "def poke(a, v): ctypes.c_uint8.from_address(a).value = v\n"
             "at_end, at_start = Guarded(100, 4, True), Guarded(100, 8, False)\n"
             "start, near = address(at_end), address(at_start)\n"
             "peek(start + 99), peek(near - 8), peek(start - 1)\n"
             "print('allowed', flush=True)\n")
    result = subprocess.run([sys.executable, "-c", setup + code], capture_output=True, text=True,
                            cwd=Path(__file__).parents[1], timeout=60)
    assert result.stdout == "allowed\n"
    assert result.returncode < 0  # by a signal: SIGSEGV, on some systems SIGBUS


def test_blank_is_nothing_that_a_kernel_computes():
    assert np.isnan(blank((3, 2))).all()
    assert (blank(4, np.int64) == -1).all() and (blank(4, np.uint8) == 255).all()
