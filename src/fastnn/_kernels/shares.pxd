"""Deal numbered work to a team: each thread does its own share, then helps with the others'.

A share is a run of neighbours, the same for every kernel that cuts its images alike, so that a
thread reads what it wrote: on many servers the cores of a team have several last caches, and what
comes from another one takes several times as long. Whoever is done first helps: a core may be late
or busy elsewhere. Who does what never changes a result.
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
    """What a member of the team does next, or -1."""
    cdef int64_t own = member * shares.count // shares.threads, i, number
    for i in range(shares.count):
        number = take_number(&shares.each[(own + i) % shares.count])
        if number >= 0:
            return number
    return -1
