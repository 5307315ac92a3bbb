"""Call one kernel from Python, by address: for tests and microbenchmarks, never in a step."""

from libc.stdint cimport int64_t, uintptr_t

from fastnn._kernels.kernel cimport kernel_fn

cdef enum:
    MOST = 4096


def call_kernel(address, pointers, d, s=(), int threads=1, int repeat=1):
    """Run the kernel at `address` `repeat` times; pointers are integers, d int64, s float64."""
    cdef char *p[MOST]
    cdef int64_t sizes[MOST]
    cdef double numbers[64]
    cdef uintptr_t place = address
    cdef kernel_fn kernel = <kernel_fn> place
    cdef int i, _repetition
    if len(pointers) > MOST or len(d) > MOST or len(s) > 64:
        raise ValueError(f"call_kernel takes up to {MOST} pointers and sizes and 64 numbers")
    for i, pointer in enumerate(pointers):
        place = pointer
        p[i] = <char *> place
    for i, size in enumerate(d):
        sizes[i] = size
    for i, number in enumerate(s):
        numbers[i] = number
    with nogil:
        for _repetition in range(repeat):
            kernel(p, sizes, numbers, threads)
