"""Bind the arrays of a call in place, if they are exactly what a plan was made for.

`take` returns whether they are. Arrays that it refuses may need a conversion or be invalid: the
caller finds out, and words the error.
"""

from cpython.dict cimport PyDict_GetItemWithError, PyDict_Next
from cpython.object cimport PyObject
from libc.stdint cimport int64_t

cimport numpy
import numpy

from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.checks cimport range_of
from fastnn._kernels.program cimport Program

numpy.import_array()

cdef enum:
    MAX_RANK = 64


cdef class Input:
    """One array: its slot, shape and dtype (float32 or int64); limits are of integers.

    limits: (least, one past the largest, a number that is ignored), as of `ClassNumbers`.
    """

    cdef int slot, rank, kind
    cdef numpy.npy_intp shape[MAX_RANK]
    cdef list limits

    def __init__(self, slot, shape, dtype, limits=()):
        kinds = {numpy.dtype(numpy.float32): numpy.NPY_FLOAT32,
                 numpy.dtype(numpy.int64): numpy.NPY_INT64}
        if dtype not in kinds or len(shape) > MAX_RANK:
            raise ValueError(f"no input is {dtype} of shape {shape}")
        self.slot, self.rank, self.kind = slot, len(shape), kinds[dtype]
        self.limits = list(limits)
        for i, size in enumerate(shape):
            self.shape[i] = size

    cdef bint take(self, Program program, value) except -1:
        if type(value) is not numpy.ndarray:
            return False
        if not self._is_alike(value) or not self._is_valid(value):
            return False
        program.place(self.slot, value, <char *> numpy.PyArray_DATA(value))
        return True

    cdef bint _is_alike(self, numpy.ndarray array) noexcept:
        """Whether shape, dtype and layout are as expected."""
        cdef int i
        if (numpy.PyArray_NDIM(array) != self.rank or numpy.PyArray_TYPE(array) != self.kind
                or not numpy.PyArray_ISCARRAY_RO(array)):
            return False
        for i in range(self.rank):
            if numpy.PyArray_DIM(array, i) != self.shape[i]:
                return False
        return True

    cdef bint _is_valid(self, numpy.ndarray array) except -1:
        """Whether all values are finite, all integers in their range."""
        cdef const void *data = numpy.PyArray_DATA(array)
        cdef int64_t found[2]
        cdef int64_t least, classes, ignored, n = numpy.PyArray_SIZE(array)
        cdef bint finite
        if self.kind == numpy.NPY_FLOAT32:
            with nogil:
                finite = simd.all_finite(n, <const float *> data)
            return finite
        for least, classes, ignored in self.limits:
            with nogil:
                range_of(<const int64_t *> data, n, ignored, found)
            if found[0] <= found[1] and (found[0] < least or found[1] >= classes):
                return False
        return True


cdef class Inputs:
    """The inputs of a plan: `expected` is an Input, or nested tuples and dicts of them."""

    cdef Program program
    cdef object expected

    def __init__(self, Program program, expected):
        self.program, self.expected = program, expected

    def take(self, values):
        """Whether values, nested alike, fit; if so, they are bound as the program's inputs.

        It makes no Python objects, since `beside` calls it where no finalizer may run.
        """
        return _take(self.program, self.expected, values)


cdef bint _take(Program program, expected, values) except -1:
    if type(expected) is Input:
        return (<Input> expected).take(program, values)
    cdef Py_ssize_t i
    if type(expected) is dict:
        return _take_named(program, <dict> expected, values)
    if type(values) is not tuple or len(<tuple> values) != len(<tuple> expected):
        return False
    for i in range(len(<tuple> expected)):
        if not _take(program, (<tuple> expected)[i], (<tuple> values)[i]):
            return False
    return True


cdef bint _take_named(Program program, dict expected, values) except -1:
    cdef Py_ssize_t place = 0
    cdef PyObject *name
    cdef PyObject *inner
    cdef PyObject *value
    if type(values) is not dict or len(<dict> values) != len(expected):
        return False
    while PyDict_Next(expected, &place, &name, &inner):
        value = PyDict_GetItemWithError(values, <object> name)
        if value == NULL or not _take(program, <object> inner, <object> value):
            return False
    return True
