"""Measure the processor's limits: multiply-adds in registers, bytes copied, read and written, and a
cache line that moves between cores."""

from cython.parallel cimport prange
from libc.stdint cimport int64_t, uintptr_t
from libc.string cimport memcpy

from fastnn._kernels.arrays.table cimport simd
from fastnn._kernels.dispatch cimport LANES, LEVEL

cdef extern from "simd/peak.h":
    enum:
        PEAK_CHAINS
    ctypedef struct peak_table:
        float (*fma_run)(int64_t rounds) noexcept nogil
    const peak_table *peak_at(int level) noexcept nogil

cdef const peak_table *peak = peak_at(LEVEL)

cdef extern from *:
    """
    static inline int await_turn(const int64_t *turn, int64_t wanted, int64_t patience) {
        while (__atomic_load_n(turn, __ATOMIC_ACQUIRE) < wanted)
            if (--patience < 0) return 0;
        return 1;
    }
    static inline void set_turn(int64_t *turn, int64_t next) {
        __atomic_store_n(turn, next, __ATOMIC_RELEASE);
    }
    """
    bint await_turn(const int64_t *turn, int64_t wanted, int64_t patience) noexcept nogil
    void set_turn(int64_t *turn, int64_t next) noexcept nogil

cdef enum:
    LINE = 64  # bytes
    PATIENCE = 1 << 26  # looks at a line that the other thread should change


def multiply_adds(int64_t rounds, int threads):
    """Run `rounds` rounds in each thread; returns the number of floating-point operations."""
    cdef int _i
    cdef float total = 0
    with nogil:
        for _i in prange(threads, num_threads=threads, schedule="static"):
            total += peak.fma_run(rounds)
    if total < 0:
        raise AssertionError("sums of positive numbers")
    return 2.0 * PEAK_CHAINS * LANES * rounds * threads


def copy_bytes(source, target, int threads, bint past_caches):
    """Copy one array of bytes to another; each thread copies a part. Returns the bytes moved.

    Both start on a cache line and have the same size, a multiple of 256 times `threads` bytes.
    """
    cdef const char *x = <const char *> <uintptr_t> source.ctypes.data
    cdef char *y = <char *> <uintptr_t> target.ctypes.data
    cdef int64_t part, size = source.nbytes
    cdef int i
    if target.nbytes != size or size % (256 * threads) or <uintptr_t> x % LINE or \
            <uintptr_t> y % LINE:
        raise ValueError("source and target are aligned and of one size, a multiple of 256 bytes "
                         "for each thread")
    part = size // threads
    with nogil:
        for i in prange(threads, num_threads=threads, schedule="static"):
            if past_caches:
                simd.copy_past(part // 4, <const float *> (x + i * part), <float *> (y + i * part))
                simd.fence_past()
            else:
                memcpy(y + i * part, x + i * part, part)
    return 2.0 * size


def read_bytes(source, int threads):
    """Read an array of bytes once; each thread a part. Returns the bytes read.

    Its size is a multiple of 256 times `threads` bytes.
    """
    cdef const char *x = <const char *> <uintptr_t> source.ctypes.data
    cdef int64_t part = source.nbytes // threads
    cdef int i, finite = 0
    if source.nbytes % (256 * threads):
        raise ValueError("the size is a multiple of 256 bytes for each thread")
    with nogil:
        for i in prange(threads, num_threads=threads, schedule="static"):
            finite += simd.all_finite(part // 4, <const float *> (x + i * part))
    if finite < threads:
        raise ValueError("the bytes are those of finite floats, or not all would be read")
    return <double> source.nbytes


def write_bytes(target, int threads):
    """Write an array of bytes past the caches; each thread a part. Returns the bytes written.

    It starts on a cache line, its size is a multiple of 256 times `threads` bytes.
    """
    cdef char *y = <char *> <uintptr_t> target.ctypes.data
    cdef float block[64]
    cdef int64_t part = target.nbytes // threads, j
    cdef int i
    if target.nbytes % (256 * threads) or <uintptr_t> y % LINE:
        raise ValueError("the target is aligned, its size a multiple of 256 bytes for each thread")
    for i in range(64):
        block[i] = 1
    with nogil:
        for i in prange(threads, num_threads=threads, schedule="static"):
            for j in range(part // 256):
                simd.copy_past(64, block, <float *> (y + i * part + j * 256))
            simd.fence_past()
    return <double> target.nbytes


def hand_over(int64_t rounds):
    """Two threads change a cache line in turn; returns how often it moved between them.

    Raises RuntimeError if the two do not run at the same time.
    """
    cdef int64_t line[16]  # a part of it is a line of its own, wherever it begins
    cdef int64_t turn
    cdef int me, came = 0
    line[8] = 0
    with nogil:
        for me in prange(2, num_threads=2, schedule="static", chunksize=1):
            for turn in range(me, 2 * rounds, 2):
                if not await_turn(&line[8], turn, PATIENCE):
                    break
                set_turn(&line[8], turn + 1)
            else:
                came += 1
    if came < 2:
        raise RuntimeError("the two threads do not run side by side")
    return 2.0 * rounds
