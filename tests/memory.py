"""Memory that shows a stray access: canaries around each buffer, and pages that no one may touch.

A write beside a buffer changes a canary, or lands on a forbidden page and ends the process; so
does a read that goes far enough. A read of a canary gives a NaN (float32) or a number of absurd
size (float64, int64), which spoils the result. So neither needs a sanitizer to be seen.
"""

import ctypes
import mmap

import numpy as np

CANARY = 0xFFA5A5A5  # a signalling NaN: what arithmetic makes of it has other bits
LINE = 64
PAGE = mmap.PAGESIZE

_libc = ctypes.CDLL(None, use_errno=True)
_libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]


def _forbid(address: int) -> None:
    """Let the page at `address` be neither read nor written."""
    if _libc.mprotect(address, PAGE, 0):
        raise OSError(ctypes.get_errno(), "mprotect")


class Guarded:
    """`size` bytes at an end of some pages, canaries to their left and right, then no access.

    at_end: the last byte is the last of its page (but for what `alignment` takes), so that a read
    of a whole vector past the end is caught. Otherwise the first byte lies `alignment` bytes
    after the first of its page: aligned to that and to no more.
    """

    def __init__(self, size: int, alignment: int, at_end: bool) -> None:
        room = -(-(size + 4 * LINE) // PAGE) * PAGE
        pages = mmap.mmap(-1, room + 2 * PAGE)
        inside = np.frombuffer(pages, np.uint8, room, PAGE)
        start = (room - size) // alignment * alignment if at_end else alignment
        _forbid(inside.ctypes.data - PAGE)
        _forbid(inside.ctypes.data + room)
        inside.view(np.uint32)[:] = CANARY
        self._before, self.bytes, self._after = np.split(inside, [start, start + size])
        self._first_after = start + size

    def check(self, what: str) -> None:
        """All canaries are as they were."""
        for side, zone, first in (("before", self._before, 0),
                                  ("after", self._after, self._first_after)):
            words = np.full(zone.size // 4 + 2, CANARY, np.uint32).view(np.uint8)
            expected = words[first % 4:first % 4 + zone.size]
            assert (zone == expected).all(), f"{what}: wrote {side} the buffer"


def blank(shape: int | tuple[int, ...], dtype: np.typing.DTypeLike = np.float32) -> np.ndarray:
    """An array for results, full of NaN, -1 or 255: what is never written shows."""
    array = np.empty(shape, dtype)
    array.reshape(-1).view(np.uint8)[:] = 0xFF
    return array


def blank_like(array: np.ndarray) -> np.ndarray:
    """`blank` of an array's shape and dtype."""
    return blank(array.shape, array.dtype)
