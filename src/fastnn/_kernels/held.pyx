"""Whether somebody else holds memory, and so may write to it unseen."""

from cpython.ref cimport PyObject

cimport numpy

numpy.import_array()

cdef extern from "Python.h":
    Py_ssize_t Py_REFCNT(PyObject *thing)

cdef extern from "numpy/arrayobject.h":
    PyObject *PyArray_BASE(numpy.ndarray array)


def any_held(list arrays):
    """Whether any view but these of their memory is alive; each is a view itself."""
    cdef PyObject *base
    for array in arrays:
        base = PyArray_BASE(array)
        if base == NULL or Py_REFCNT(base) > 1:
            return True
    return False
