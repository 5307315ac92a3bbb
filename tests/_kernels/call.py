"""Run one kernel on NumPy arrays, with its promises checked: extents, guards, repeatability.

    call("unary_forward", [x, y], d=[x.size, row])          # writes into y
    call_all_threads("unary_forward", [x, y], d=[...])      # the same bits at 1, 2, 3, ... threads
"""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import numpy as np
from fastnn._kernels.call import call_kernel

from fastnn._kernels import registry
from tests.memory import LINE, Guarded

MOST_THREADS = 64
COVERED: set[str] = set()  # kernels with a test that draws shapes and arguments at random


def covers(*names: str) -> Callable[[Any], Any]:
    """Decorate a test that draws shapes and arguments of these kernels at random."""
    COVERED.update(names)
    return lambda test: test


def call(name: str, arrays: Sequence[np.ndarray], d: Sequence[int], s: Sequence[float] = (),
         threads: int = 1, at_end: bool = True) -> None:
    """Run kernel `name`; arrays are its pointers in order, without the workspace.

    An array that is given twice stands for one buffer. Results are written into the arrays; one
    that is not writeable must come back unchanged. A workspace (one more extent than arrays) is
    allocated here, 64-byte aligned and full of NaN. Each buffer is guarded and as long as its
    extent, so that a kernel that needs more than it says fails. at_end: see `Guarded`.
    """
    kernel = registry.kernel(name)
    d = [int(size) for size in d]
    extents = kernel.extents(d, threads)
    assert len(extents) in (len(arrays), len(arrays) + 1), (
        f"{name} takes {len(extents)} pointers with workspace, not {len(arrays)}")
    reach: dict[int, int] = {}
    for i, (array, extent) in enumerate(zip(arrays, extents, strict=False)):
        assert array.flags.c_contiguous, f"{name}: array {i} is not contiguous"
        assert extent <= array.nbytes, f"{name}: array {i} has {array.nbytes} of {extent} bytes"
        reach[id(array)] = max(extent, reach.get(id(array), 0))
    buffers = {}
    for array in arrays:
        buffer = buffers[id(array)] = Guarded(reach[id(array)], array.itemsize, at_end)
        buffer.bytes[:] = _bytes(array)[:reach[id(array)]]
    guarded = [buffers[id(array)] for array in arrays]
    if len(extents) > len(arrays):
        guarded.append(Guarded(extents[-1], LINE, at_end))
        guarded[-1].bytes[:] = 0xFF
    call_kernel(kernel.address, [buffer.bytes.ctypes.data for buffer in guarded], d, s, threads)
    for i, buffer in enumerate(guarded):
        buffer.check(f"{name}: {f'array {i}' if i < len(arrays) else 'workspace'}")
    for i, (array, buffer) in enumerate(zip(arrays, guarded, strict=False)):
        content = _bytes(array)[:buffer.bytes.size]
        if array.flags.writeable:
            content[:] = buffer.bytes
        else:
            assert (buffer.bytes == content).all(), f"{name}: array {i} is an input, but changed"


def _bytes(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1).view(np.uint8)


def call_all_threads(name: str, arrays: Sequence[np.ndarray], d: Sequence[int],
                     s: Sequence[float] = ()) -> None:
    """`call` at 1, 2, 3 and many threads from the same start; all must give the same bits.

    What the kernel tells that threads are dealt must be the same work for any number of them. Many
    are 16, 33 or 64, by the sizes. Buffers lie at the end of their pages and near the start
    of them by turns.
    """
    first: list[bytes] = []
    many = (16, 33, 64)[sum(map(int, d)) % 3]
    for threads in (many, 3, 2, 1):
        copies: dict[int, np.ndarray] = {}
        for array in arrays:
            if id(array) not in copies:
                copies[id(array)] = array.copy() if array.flags.writeable else array
        trial = arrays if threads == 1 else [copies[id(array)] for array in arrays]
        call(name, trial, d, s, threads, at_end=threads % 2 == 0)
        result = [array.tobytes() for array in trial]
        first = first or result
        for i, (one, other) in enumerate(zip(first, result, strict=True)):
            assert one == other, f"{name}: array {i} differs between {many} and {threads} threads"
    check_loads(name, tuple(map(int, d)))


@cache
def check_loads(name: str, d: tuple[int, ...]) -> None:
    """What threads are dealt is the same work for 1 to 64 of them: none is lost, or done twice."""
    loads = registry.kernel(name).loads
    if loads is None:
        return
    dealt = [loads(d, threads) for threads in range(1, MOST_THREADS + 1)]
    if all(each == [1] * len(each) for each in dealt):
        return  # a linear layer of few rows or columns: it tells only that threads have as much
    for threads, each in enumerate(dealt, 1):
        assert len(each) == threads and min(each) >= 0, f"{name} {d}: {threads} threads: {each}"
        assert sum(each) == sum(dealt[0]), f"{name} {d}: {threads} threads do {sum(each)}"
