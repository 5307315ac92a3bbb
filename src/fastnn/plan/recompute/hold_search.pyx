"""Exact search: which of a few values to hold at each moment, in the least time within a limit.

It is a shortest path over sets of held values: cost[set] is the least seconds of recomputations
after which that set is held. A set is a number with a bit for each value. Freeing a value costs
nothing, so a set costs no more than any set that contains it.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

import numpy

cdef double TINY = 1e-15  # seconds added to each run, so that no cycle of runs is free


cdef class Course:
    """Moments in order, and the recomputations that may run between them.

    moments: rows of NEEDS, MAKES, OVER, KIND, BYTES, AFTER. At a PAUSE, tasks of the set NEEDS may
    be recomputed while other tasks' values take BYTES; only values in AFTER may be held. A STEP
    always runs, and takes BYTES with other tasks' values. It reads NEEDS, makes MAKES and may
    overwrite one of OVER; after it only values in AFTER may be held. runs: a row of NEEDS, MAKES,
    OVER, WORKSPACE for each task that may be recomputed; seconds: of each. sizes: bytes of each
    value.
    """

    cdef const int64_t[:, ::1] moments, runs
    cdef const double[::1] seconds
    cdef int64_t[::1] bytes_of
    cdef double[:, ::1] cost
    cdef int64_t sets
    cdef double bound

    def __init__(self, moments, runs, seconds, sizes):
        self.moments, self.runs, self.seconds = moments, runs, seconds
        self.sets = 1 << len(sizes)
        self.bytes_of = numpy.zeros(self.sets, numpy.int64)
        cdef int64_t number, held
        for number in range(len(sizes)):
            for held in range(1 << number):
                self.bytes_of[held | 1 << number] = self.bytes_of[held] + <int64_t> sizes[number]

    def cheapest(self, int64_t limit, double bound):
        """[(moment, run)] of the least seconds, if that is less than `bound`; else None."""
        cdef int64_t count = self.moments.shape[0], moment, held, best = 0, may_hold = 0
        self.bound = bound
        self.cost = numpy.full((count + 1, self.sets), INFINITY)
        self.cost[0, 0] = 0
        for moment in range(count):
            if self.moments[moment, KIND] == PAUSE:
                self._pause(moment, may_hold, limit - self.moments[moment, BYTES])
            else:
                self._step(moment, may_hold, limit - self.moments[moment, BYTES])
            may_hold = self.moments[moment, AFTER]
        for held in range(self.sets):
            if self.cost[count, held] < self.cost[count, best]:
                best = held
        if not self.cost[count, best] < bound:
            return None
        return self._path(limit, best)

    cdef int64_t _after(self, const int64_t *task, int64_t held, int64_t over,
                        int64_t room) noexcept:
        """What is held after a task that overwrites `over` (or nothing); -1 if it cannot run."""
        cdef int64_t after = (held & ~over) | task[MAKES]
        if task[NEEDS] & ~held or self.bytes_of[after] > room:
            return -1
        return after

    cdef void _step(self, int64_t moment, int64_t may_hold, int64_t room) noexcept:
        cdef const int64_t *task = &self.moments[moment, 0]
        cdef double *before = &self.cost[moment, 0]
        cdef double *now = &self.cost[moment + 1, 0]
        cdef int64_t held, free = may_hold & ~task[NEEDS], rest = free, after, over, left
        if task[NEEDS] & ~may_hold:
            return
        while True:  # every set that contains what the step reads
            held = task[NEEDS] | rest
            if before[held] < INFINITY:
                over, left = 0, task[OVER] & held
                while True:
                    after = self._after(task, held, over, room)
                    if after >= 0:
                        after &= task[AFTER]
                        now[after] = min(now[after], before[held])
                    if not left:
                        break
                    over = left & -left
                    left ^= over
            if not rest:
                return
            rest = (rest - 1) & free

    cdef void _pause(self, int64_t moment, int64_t may_hold, int64_t room) noexcept:
        """Free values and run tasks until no set gets cheaper."""
        cdef double *before = &self.cost[moment, 0]
        cdef double *now = &self.cost[moment + 1, 0]
        cdef int64_t may = self.moments[moment, NEEDS], use = self.moments[moment, AFTER]
        cdef int64_t run, held = may_hold
        cdef bint changed = True
        while True:
            now[held & use] = min(now[held & use], before[held])
            if not held:
                break
            held = (held - 1) & may_hold
        self._let_go(now, use)
        while changed:
            changed = False
            for run in range(self.runs.shape[0]):
                if may >> run & 1 and self.runs[run, MAKES] & use:
                    changed |= self._run(now, run, room, use)
            if changed:
                self._let_go(now, use)

    cdef bint _run(self, double *now, int64_t run, int64_t room, int64_t use) noexcept:
        """Run a task from every set; whether any set got cheaper."""
        cdef const int64_t *task = &self.runs[run, 0]
        cdef double spent, seconds = self.seconds[run] + TINY
        cdef int64_t needs = task[NEEDS], free = use & ~needs, rest, held, after, over, left
        cdef bint changed = False
        if needs & ~use or not now[needs] + seconds < self.bound:  # no superset costs less
            return False
        rest = free
        while True:  # every set of useful values that contains what the task reads
            held = needs | rest
            spent = now[held] + seconds
            if spent < self.bound:
                over, left = 0, task[OVER] & held
                while True:
                    after = self._after(task, held, over, room - task[WORKSPACE])
                    if after >= 0 and spent < now[after & use]:
                        now[after & use] = spent
                        changed = True
                    if not left:
                        break
                    over = left & -left
                    left ^= over
            if not rest:
                return changed
            rest = (rest - 1) & free

    cdef void _let_go(self, double *now, int64_t use) noexcept:
        """Make each set as cheap as those with one value more, value by value."""
        cdef int64_t bits = use, bit, held, free
        while bits:
            bit = bits & -bits
            bits ^= bit
            free = held = use & ~bit
            while True:
                now[held] = min(now[held], now[held | bit])
                if not held:
                    break
                held = (held - 1) & free

    cdef _path(self, int64_t limit, int64_t held):
        """The runs that led to a final set, found by walking back along equal costs."""
        found = []
        cdef int64_t moment = self.moments.shape[0] - 1, from_set, run, room
        while moment >= 0:
            room = limit - self.moments[moment, BYTES]
            if self.moments[moment, KIND] == STEP:
                held = self._before_step(moment, held, room)
                moment -= 1
                continue
            from_set = self._from(self.cost[moment], held, self.cost[moment + 1, held])
            if from_set >= 0:
                held = from_set
                moment -= 1
                continue
            from_set = self._from(self.cost[moment + 1], held, self.cost[moment + 1, held], held)
            if from_set >= 0:
                held = from_set
                continue
            run, held = self._before_run(moment, held, room)
            found.append((moment, run))
        return found[::-1]

    cdef int64_t _before_step(self, int64_t moment, int64_t to, int64_t room):
        cdef const int64_t *task = &self.moments[moment, 0]
        cdef int64_t held
        for held in range(self.sets):
            if self.cost[moment, held] == self.cost[moment + 1, to] and (
                    self._leads(task, held, to, room, task[AFTER])):
                return held
        raise AssertionError("no set leads to this one")

    cdef int64_t _from(self, double[::1] cost, int64_t held, double spent, int64_t but=-1):
        """A superset of `held` of that cost, other than `but`; -1 if there is none."""
        cdef int64_t found
        for found in range(self.sets):
            if found & held == held and found != but and cost[found] == spent:
                return found
        return -1

    cdef _before_run(self, int64_t moment, int64_t to, int64_t room):
        cdef int64_t run, held, use = self.moments[moment, AFTER]
        for run in range(self.runs.shape[0]):
            if not self.moments[moment, NEEDS] >> run & 1:
                continue
            for held in range(self.sets):
                if (self.cost[moment + 1, held] + (self.seconds[run] + TINY)
                        == self.cost[moment + 1, to]
                        and self._leads(&self.runs[run, 0], held, to,
                                        room - self.runs[run, WORKSPACE], use)):
                    return run, held
        raise AssertionError("no run leads to this set")

    cdef bint _leads(self, const int64_t *task, int64_t held, int64_t to, int64_t room,
                     int64_t use) noexcept:
        """Whether a task leads from one set to another."""
        cdef int64_t over = 0, left = task[OVER] & held, after
        while True:
            after = self._after(task, held, over, room)
            if after >= 0 and after & use == to:
                return True
            if not left:
                return False
            over = left & -left
            left ^= over
