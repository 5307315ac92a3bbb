"""Distribute numbered items to a team, with work stealing: own share first, then the others'.

A share is a run of neighbours, the same for every kernel that cuts its images alike, so that a
thread reads what it wrote: on many servers a team's cores have several last-level caches, and reads
from another one take several times as long. Threads that finish early help, since a core may be
late or busy. Which thread does what never changes a result.
"""

from libc.stdint cimport int64_t

cdef extern from *:
    """
    enum { MOST_SHARES = 64 };

    typedef struct {
        _Alignas(64) int64_t next; /* a cache line of its own */
        int64_t end;
    } share;

    /* The next item of a share, or -1. */
    static inline int64_t take_number(share *s) {
        int64_t number = __atomic_load_n(&s->next, __ATOMIC_RELAXED);
        if (number < s->end)
            number = __atomic_fetch_add(&s->next, 1, __ATOMIC_RELAXED);
        return number < s->end ? number : -1;
    }
    """
    enum:
        MOST_SHARES
    ctypedef struct share:
        int64_t next
        int64_t end
    int64_t take_number(share *s) noexcept nogil

# next_of hands out items 0 .. count - 1; from MOST_SHARES threads on some have a share together.
cdef struct Shares:
    share each[MOST_SHARES]
    int64_t count
    int64_t threads


cdef inline void deal(Shares *shares, int64_t items, int threads) noexcept nogil:
    cdef int64_t i
    shares.count, shares.threads = min(threads, MOST_SHARES), threads
    for i in range(shares.count):
        shares.each[i].next = items * i // shares.count
        shares.each[i].end = items * (i + 1) // shares.count


cdef inline int64_t next_of(Shares *shares, int64_t member) noexcept nogil:
    """The next item for a member of the team, or -1."""
    cdef int64_t own = member * shares.count // shares.threads, i, number
    for i in range(shares.count):
        number = take_number(&shares.each[(own + i) % shares.count])
        if number >= 0:
            return number
    return -1
