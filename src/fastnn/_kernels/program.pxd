from libc.stdint cimport int64_t, uint64_t

from fastnn._kernels.kernel cimport kernel_fn

cdef enum:
    MAX_THREADS = 1024

ctypedef struct call_t:
    kernel_fn function      # NULL: a pause
    int64_t first_buffer
    int64_t buffers
    int64_t first_d
    int64_t first_s
    int threads             # its team, of all at most


cdef class Program:
    cdef list _calls, _buffers, _d, _s, _sizes, _arrays
    cdef call_t *calls
    cdef int64_t *slot_of
    cdef int64_t *offset_of
    cdef int64_t *d
    cdef double *s
    cdef char **slots
    cdef char **pointers
    cdef uint64_t states[MAX_THREADS]
    cdef int64_t count
    cdef int64_t unbound
    cdef readonly int threads

    cdef int place(self, int slot, object array, char *address) except -1
    cdef const char *at(self, int slot, int64_t offset, int64_t size) except NULL
    cdef int64_t execute(self, int64_t first, int64_t last) noexcept nogil
    cdef int64_t _run_kernels(self, int64_t i, int64_t last, int threads) noexcept nogil
