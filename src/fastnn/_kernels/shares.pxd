"""Deal numbered work to a team: each thread does its own share, then helps with the others'.

A share is a run of neighbours, the same for every kernel that cuts its images alike, so that a
thread reads what it wrote: on many servers the cores of a team have several last caches, and what
comes from another one takes several times as long. Whoever is done first helps: a core may be late
or busy elsewhere. Who does what never changes a result.
"""

from cython.parallel cimport prange
from libc.stdint cimport int64_t

cdef extern from *:
    """
    enum { MOST_SHARES = 64 };

    typedef struct {
        _Alignas(64) int64_t next; /* a cache line of its own */
        int64_t end;
    } share;

    static inline int64_t take_number(share *s) {
        return __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
    }
    """
    enum:
        MOST_SHARES
    ctypedef struct share:
        int64_t next
        int64_t end
    int64_t take_number(share *s) noexcept nogil

# Does item number `number` of a job; member: which of the team does it.
ctypedef void (*item_fn)(const void *job, int64_t number, int64_t member) noexcept nogil


cdef inline void do_share(item_fn run, const void *job, share *s, int64_t member) noexcept nogil:
    cdef int64_t number
    while s.next < s.end:
        number = take_number(s)
        if number < s.end:
            run(job, number, member)


cdef inline void run_shares(item_fn run, const void *job, int64_t count,
                            int threads) noexcept nogil:
    """Run items 0 .. count - 1 on a team; from MOST_SHARES threads on some have one together."""
    cdef share shares[MOST_SHARES]
    cdef int64_t kinds = min(threads, MOST_SHARES), i, member
    for i in range(kinds):
        shares[i].next = count * i // kinds
        shares[i].end = count * (i + 1) // kinds
    for member in prange(threads, num_threads=threads, schedule="static", chunksize=1):
        for i in range(kinds):
            do_share(run, job, &shares[(member * kinds // threads + i) % kinds], member)
