"""Which of a few values to hold at each moment of a fixed course: the cheapest way within a limit.

The search is exact, over sets of held values: cost[set] is the least seconds of all runs so far
that end with that set held. A set is a number with a bit for each value. To let go of a value
costs nothing, so a set costs no more than one that contains it.
"""

from libc.math cimport INFINITY
from libc.stdint cimport int64_t

import numpy

cdef double TINY = 1e-15  # seconds of a run at least, so that no two runs undo each other for free


cdef class Course:
    """Moments in order, and tasks that may run in between.

    moments: rows of NEEDS, MAKES, OVER, KIND, BYTES, AFTER. KIND PAUSE: tasks of the set NEEDS may
    run beside BYTES that others hold; sets are of values in AFTER. KIND STEP: what always runs,
    with BYTES of its own and of others; it reads NEEDS, makes MAKES, may write over one of OVER,
    and only AFTER may be held then. runs: rows of NEEDS, MAKES, OVER, workspace, of each task that
    may run; seconds: of each. sizes: bytes of each value.
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
        """[(moment, run)] of the fewest seconds, if they are fewer than `bound`; None if not."""
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
        """What is held after a task that writes over `over` (or nothing); -1 if it may not run."""
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
        while True:  # every set that has what the step reads
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
        """Let go of values and run tasks until no set gets cheaper."""
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
        """Whether a run of a task makes any set cheaper."""
        cdef const int64_t *task = &self.runs[run, 0]
        cdef double spent, seconds = self.seconds[run] + TINY
        cdef int64_t needs = task[NEEDS], free = use & ~needs, rest, held, after, over, left
        cdef bint changed = False
        if needs & ~use or not now[needs] + seconds < self.bound:  # no set that has more costs less
            return False
        rest = free
        while True:  # every set of values in use that has what the task reads
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
        """Each set as cheap as those with one value more, for value after value."""
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
        """The runs that led to a set at the end, by going back from set to set of equal cost."""
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
        raise AssertionError("a set that no other leads to")

    cdef int64_t _from(self, double[::1] cost, int64_t held, double spent, int64_t but=-1):
        """A set of that cost that has all of `held`, other than `but`; -1 if there is none."""
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
        raise AssertionError("a set that no run leads to")

    cdef bint _leads(self, const int64_t *task, int64_t held, int64_t to, int64_t room,
                     int64_t use) noexcept:
        """Whether a task makes one set from another."""
        cdef int64_t over = 0, left = task[OVER] & held, after
        while True:
            after = self._after(task, held, over, room)
            if after >= 0 and after & use == to:
                return True
            if not left:
                return False
            over = left & -left
            left ^= over
