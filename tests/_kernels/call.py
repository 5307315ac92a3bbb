"""Run one kernel on NumPy arrays, with its promises checked: extents, guard zones, repeatability.

    call("unary_forward", [x, y], d=[x.size, row])          # writes into y
    call_all_threads("unary_forward", [x, y], d=[...])      # the same bits at 1, 2, 3, 4 threads
"""

from collections.abc import Sequence

import numpy as np
from fastnn._kernels.call import call_kernel

from fastnn._kernels import registry

GUARD = 256  # bytes before and after each buffer
GUARD_BYTE = 0xA5  # as float32 -2.9e-16, so a kernel that adds a guard in changes its result


class _Guarded:
    """A copy of some bytes between two guard zones, aligned to its element size and no more."""

    def __init__(self, content: np.ndarray, alignment_offset: int) -> None:
        size = content.size
        self._memory = np.full(size + 2 * GUARD + 128, GUARD_BYTE, np.uint8)
        start = GUARD + (-(self._memory.ctypes.data + GUARD)) % 64 + alignment_offset
        self._before = self._memory[:start]
        self.bytes = self._memory[start:start + size]
        self._after = self._memory[start + size:]
        self.bytes[:] = content

    def check(self, what: str) -> None:
        for side, zone in (("before", self._before), ("after", self._after)):
            assert (zone == GUARD_BYTE).all(), f"{what}: wrote {side} the buffer"


def call(name: str, arrays: Sequence[np.ndarray], d: Sequence[int], s: Sequence[float] = (),
         threads: int = 1) -> None:
    """Run kernel `name`; arrays are its pointers in order, without the workspace.

    An array that is given twice stands for one buffer. Results are written into the arrays; one
    that is not writeable must come back unchanged. A workspace (one more extent than arrays) is
    allocated here, 64-byte aligned and full of NaN. Bytes past an extent must not change.
    """
    kernel = registry.KERNELS[name]
    d = [int(size) for size in d]
    extents = kernel.extents(d, threads)
    assert len(extents) in (len(arrays), len(arrays) + 1), (
        f"{name} takes {len(extents)} pointers with workspace, not {len(arrays)}")
    buffers: dict[int, _Guarded] = {}
    pointers = []
    for i, (array, extent) in enumerate(zip(arrays, extents, strict=False)):
        assert array.flags.c_contiguous, f"{name}: array {i} is not contiguous"
        assert extent <= array.nbytes, f"{name}: array {i} has {array.nbytes} of {extent} bytes"
        content = array.reshape(-1).view(np.uint8)
        buffer = buffers.setdefault(id(array), _Guarded(content, array.itemsize))
        pointers.append(buffer.bytes.ctypes.data)
    workspace = _Guarded(np.full(extents[-1], 0xFF, np.uint8), 0)
    if len(extents) > len(arrays):
        pointers.append(workspace.bytes.ctypes.data)
    call_kernel(kernel.address, pointers, d, s, threads)
    workspace.check(f"{name}: workspace")
    for i, array in enumerate(arrays):
        buffer = buffers[id(array)]
        buffer.check(f"{name}: array {i}")
        content = array.reshape(-1).view(np.uint8)
        reach = max(e for a, e in zip(arrays, extents, strict=False) if a is array)
        assert (buffer.bytes[reach:] == content[reach:]).all(), (
            f"{name}: array {i} changed past its extent")
        if not array.flags.writeable:
            assert (buffer.bytes == content).all(), f"{name}: array {i} is an input, but changed"
    for array in arrays:
        if array.flags.writeable:
            array.reshape(-1).view(np.uint8)[:] = buffers[id(array)].bytes


def call_all_threads(name: str, arrays: Sequence[np.ndarray], d: Sequence[int],
                     s: Sequence[float] = ()) -> None:
    """`call` at 1, 2, 3 and 4 threads from the same start; all must give the same bits."""
    first: list[bytes] = []
    for threads in (4, 3, 2, 1):
        copies: dict[int, np.ndarray] = {}
        for array in arrays:
            if id(array) not in copies:
                copies[id(array)] = array.copy() if array.flags.writeable else array
        trial = arrays if threads == 1 else [copies[id(array)] for array in arrays]
        call(name, trial, d, s, threads)
        result = [array.tobytes() for array in trial]
        first = first or result
        for i, (one, other) in enumerate(zip(first, result, strict=True)):
            assert one == other, f"{name}: array {i} differs between 4 and {threads} threads"
