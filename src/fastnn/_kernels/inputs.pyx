"""Take the arrays of a call where they lie, when they are just what a plan was made for.

`take` says yes or no. What it turns down may be right after a conversion, or wrong: the caller
finds out which, and words the error.
"""

from cpython.buffer cimport (
    Py_buffer, PyBUF_FORMAT, PyBUF_STRIDES, PyBuffer_IsContiguous, PyBuffer_Release,
    PyObject_GetBuffer)
from libc.stdint cimport int64_t

from fastnn._kernels.checks cimport range_of
from fastnn._kernels.dispatch cimport simd
from fastnn._kernels.program cimport Program

from numpy import dtype, float32, int64, ndarray

cdef enum:
    MAX_RANK = 64


cdef class Input:
    """One array: its slot, shape and dtype (float32 or int64); limits are (classes, ignored)."""

    cdef int slot, rank
    cdef bint real
    cdef Py_ssize_t shape[MAX_RANK]
    cdef list limits

    def __init__(self, slot, shape, kind, limits=()):
        if dtype(kind) not in (float32, int64) or len(shape) > MAX_RANK:
            raise ValueError(f"no input is {kind} of shape {shape}")
        self.slot, self.rank, self.real = slot, len(shape), dtype(kind) == float32
        self.limits = list(limits)
        for i, size in enumerate(shape):
            self.shape[i] = size

    cdef bint take(self, Program program, value) except -1:
        cdef Py_buffer view
        cdef bint fits
        if type(value) is not ndarray:
            return False
        try:
            PyObject_GetBuffer(value, &view, PyBUF_STRIDES | PyBUF_FORMAT)
        except (BufferError, ValueError):  # dates, for one
            return False
        try:
            fits = self._is_like(&view) and self._is_valid(&view)
            if fits:
                program.place(self.slot, value, <char *> view.buf)
            return fits
        finally:
            PyBuffer_Release(&view)

    cdef bint _is_like(self, const Py_buffer *view) noexcept:
        """Whether shape and dtype are the expected; of another byte order the format is longer."""
        cdef char code = view.format[0]
        cdef int i
        if view.ndim != self.rank or view.format[1] != 0 or not PyBuffer_IsContiguous(view, b"C"):
            return False
        if self.real and code != b"f":
            return False
        if not self.real and (code not in (b"l", b"q") or view.itemsize != 8):
            return False
        for i in range(self.rank):
            if view.shape[i] != self.shape[i]:
                return False
        return True

    cdef bint _is_valid(self, const Py_buffer *view) except -1:
        """Whether all values are finite, all class numbers in their range."""
        cdef int64_t found[2]
        cdef int64_t classes, ignored, n = view.len // view.itemsize
        cdef bint valid
        if self.real:
            with nogil:
                valid = simd.all_finite(n, <const float *> view.buf)
            return valid
        for classes, ignored in self.limits:
            with nogil:
                range_of(<const int64_t *> view.buf, n, ignored, found)
            if found[0] <= found[1] and (found[0] < 0 or found[1] >= classes):
                return False
        return True


cdef class Inputs:
    """What a plan takes: `expected` is an Input, or a tuple of what is expected, nested."""

    cdef Program program
    cdef object expected

    def __init__(self, Program program, expected):
        self.program, self.expected = program, expected

    def take(self, values):
        """Whether values, nested alike, fit; if they do, the program's inputs are these."""
        return _take(self.program, self.expected, values)


cdef bint _take(Program program, expected, values) except -1:
    if type(expected) is Input:
        return (<Input> expected).take(program, values)
    if type(values) is not tuple or len(values) != len(expected):
        return False
    for part, value in zip(expected, values):
        if not _take(program, part, value):
            return False
    return True
