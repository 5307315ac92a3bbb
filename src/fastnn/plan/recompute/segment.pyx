"""A segment of a schedule: what its few tasks may do, and the bytes all other tasks take meanwhile.

The other tasks keep their runs and the lives of their values. The segment's recomputations are
taken out, to be chosen anew (`hold_search`). Its values must have no views.
"""

from libc.stdint cimport int64_t, uint8_t

import numpy

from fastnn.plan.recompute.hold_search cimport (
    AFTER, BYTES, COLUMNS, KIND, MAKES, NEEDS, OVER, PAUSE, STEP, WORKSPACE)
from fastnn.plan.recompute.flow cimport LEAF, Flow


cdef class Segment:
    """The moments and runs of some tasks; no `dropped` value may be held after the step `turn`.

    moments, runs, sizes: see `hold_search.Course`. places: for each moment, the step before which
    its recomputations are inserted.
    """

    cdef readonly object moments, runs, sizes, places
    cdef Flow flow
    cdef const int64_t[::1] order, tasks
    cdef int64_t[::1] bit, mine, row_of, base, end, across, used
    cdef int64_t[::1] at, left, may, place
    cdef int64_t[:, ::1] moment
    cdef uint8_t[::1] always, saved
    cdef int64_t steps, count, dropped, turn

    def __init__(self, Flow flow, const int64_t[::1] order, const int64_t[::1] tasks,
                 const uint8_t[::1] dropped, int64_t turn):
        cdef int64_t i, j, row, bits = 0, v, steps = order.shape[0]
        self.flow, self.order, self.tasks, self.turn = flow, order, tasks, turn
        self.steps, self.dropped = steps, 0
        self.bit = numpy.full(flow.sizes.shape[0], -1, numpy.int64)
        self.mine = numpy.full(flow.tasks, -1, numpy.int64)
        self.sizes = []
        for i in range(tasks.shape[0]):
            self.mine[tasks[i]] = i
            row = tasks[i] + flow.tasks
            for j in range(flow.out_starts[row], flow.out_starts[row + 1]):
                v = flow.out_items[j]
                self.bit[v] = bits
                self.dropped |= dropped[v] << bits
                self.sizes.append(flow.reserved[v])
                bits += 1
        runs = numpy.zeros((tasks.shape[0], COLUMNS), numpy.int64)
        cdef int64_t[:, ::1] run = runs
        for i in range(tasks.shape[0]):
            row = tasks[i] + flow.tasks
            run[i, NEEDS], run[i, MAKES] = self._inputs(row), self._outputs(row)
            run[i, OVER], run[i, WORKSPACE] = self._over(row), flow.workspace[row]
        self.runs = runs
        self.row_of = numpy.empty(steps, numpy.int64)
        self.always = numpy.empty(steps, numpy.uint8)
        self.saved = numpy.zeros(steps, numpy.uint8)
        self.across = numpy.empty(steps, numpy.int64)
        self.used = numpy.zeros(steps, numpy.int64)
        self._follow()
        self._find_moments()
        self._keep_useful(run)
        self.moments = numpy.asarray(self.moment)[:self.count]
        self.places = numpy.asarray(self.place)[:self.count].tolist()

    cdef int64_t _inputs(self, int64_t row) noexcept:
        cdef int64_t i, found = 0
        for i in range(self.flow.in_starts[row], self.flow.in_starts[row + 1]):
            if self.bit[self.flow.in_items[i]] >= 0:
                found |= <int64_t> 1 << self.bit[self.flow.in_items[i]]
        return found

    cdef int64_t _outputs(self, int64_t row) noexcept:
        cdef int64_t i, found = 0
        for i in range(self.flow.out_starts[row], self.flow.out_starts[row + 1]):
            if self.bit[self.flow.out_items[i]] >= 0:
                found |= <int64_t> 1 << self.bit[self.flow.out_items[i]]
        return found

    cdef int64_t _over(self, int64_t row) noexcept:
        """The segment's values, read once, whose memory the row's first output may reuse."""
        cdef Flow flow = self.flow
        cdef int64_t i, j, v, count, found = 0
        for i in range(flow.over_starts[row], flow.over_starts[row + 1]):
            v, count = flow.over_items[i], 0
            for j in range(flow.in_starts[row], flow.in_starts[row + 1]):
                count += flow.in_items[j] == v
            if count == 1 and self.bit[v] >= 0 and (
                    flow.sizes[v] == flow.sizes[flow.out_items[flow.out_starts[row]]]):
                found |= <int64_t> 1 << self.bit[v]
        return found

    cdef _follow(self):
        """How long the other tasks' values live, and the bytes that they take."""
        cdef Flow flow = self.flow
        cdef int64_t s, i, k, row, b, v, held = 0, count = 0, most = 0
        cdef uint8_t[::1] seen = numpy.zeros(flow.tasks, numpy.uint8)
        for s in range(self.steps):
            self.always[s] = not seen[self.order[s]] or self.mine[self.order[s]] < 0
            self.row_of[s] = self.order[s] + flow.tasks * seen[self.order[s]]
            seen[self.order[s]] = 1
            most += flow.out_starts[self.row_of[s] + 1] - flow.out_starts[self.row_of[s]]
        cdef int64_t[::1] latest = numpy.full(flow.sizes.shape[0], -1, numpy.int64)
        cdef int64_t[::1] value = numpy.empty(most, numpy.int64)
        cdef int64_t[::1] made = numpy.empty(most, numpy.int64)
        cdef int64_t[::1] gone = numpy.zeros(self.steps + 1, numpy.int64)
        self.base, self.end = numpy.empty(most, numpy.int64), numpy.empty(most, numpy.int64)
        for s in range(self.steps):
            row = self.row_of[s]
            for i in range(flow.in_starts[row], flow.in_starts[row + 1]):
                v = flow.in_items[i]
                if self.bit[v] < 0 and self.base[latest[v]] >= 0:
                    self.end[self.base[latest[v]]] = s
            b = flow.view[row]
            if b >= 0:
                b = self.base[latest[b]]
            for i in range(flow.out_starts[row], flow.out_starts[row + 1]):
                v = flow.out_items[i]
                if self.bit[v] < 0:
                    value[count], made[count], self.end[count] = v, s, s
                    self.base[count] = b if flow.view[row] >= LEAF else count
                    latest[v] = count
                    count += 1
        for k in range(count):
            if flow.results[value[k]] and self.row_of[made[k]] < flow.tasks and self.base[k] >= 0:
                self.end[self.base[k]] = self.steps
        for k in range(count):
            if self.base[k] == k:
                self.used[made[k]] += flow.reserved[value[k]]
                gone[self.end[k]] += flow.reserved[value[k]]
        for s in range(self.steps):
            held += self.used[s]
            self.used[s] = held + flow.workspace[self.row_of[s]]
            held -= gone[s]
            self.across[s] = held
        self._write_over(value)

    cdef _write_over(self, int64_t[::1] value):
        """Count memory that a step overwrites once: as its result's, from that step on."""
        cdef Flow flow = self.flow
        cdef int64_t s, i, j, k, v, row, size, many
        cdef int64_t[::1] latest = numpy.full(flow.sizes.shape[0], -1, numpy.int64)
        cdef int64_t count = 0
        for s in range(self.steps):
            row = self.row_of[s]
            for i in range(flow.over_starts[row], flow.over_starts[row + 1]):
                v = flow.over_items[i]
                k = -1 if self.bit[v] >= 0 or not self.always[s] else self.base[latest[v]]
                if k < 0 or self.end[k] > s:
                    continue
                size, many = flow.sizes[flow.out_items[flow.out_starts[row]]], 0
                for j in range(flow.in_starts[row], flow.in_starts[row + 1]):
                    v = flow.in_items[j]
                    many += self.bit[v] < 0 and self.base[latest[v]] == k
                if many == 1 and flow.sizes[value[k]] == size:
                    self.used[s] -= flow.reserved[value[k]]
                    self.saved[s] = 1
                    break
            for i in range(flow.out_starts[row], flow.out_starts[row + 1]):
                if self.bit[flow.out_items[i]] < 0:
                    latest[flow.out_items[i]] = count
                    count += 1

    cdef _find_moments(self):
        """Steps that use the segment's values, and what may be recomputed before each step."""
        cdef int64_t s, i, v, before = -1, quiet = 0, instances = 0, ran = 0, needs, makes
        cdef Flow flow = self.flow
        cdef int64_t[::1] latest = numpy.full(flow.sizes.shape[0], -1, numpy.int64)
        self.moment = numpy.empty((4 * self.steps + 4, COLUMNS), numpy.int64)
        self.place = numpy.empty(4 * self.steps + 4, numpy.int64)
        self.at, self.left, self.may = numpy.empty((3, self.steps), numpy.int64)
        self.count = 0
        for s in range(self.steps):
            if self.always[s] and (ran or self.mine[self.order[s]] >= 0):
                self.at[quiet], self.left[quiet] = s, self.across[before] if before >= 0 else 0
                self.may[quiet] = 0
                for i in range(self.tasks.shape[0]):
                    if ran >> i & 1 and self._may(self.tasks[i] + flow.tasks, latest, before):
                        self.may[quiet] |= <int64_t> 1 << i
                quiet += 1
                needs, makes = self._inputs(self.row_of[s]), self._outputs(self.row_of[s])
                if needs or makes or s == self.turn:
                    self._list_quiet(quiet)
                    quiet = 0
                    self._list(s, needs, makes, 0 if self.saved[s] else self._over(self.row_of[s]),
                               STEP, self.used[s], ~self.dropped if s == self.turn else -1)
                if self.mine[self.order[s]] >= 0:
                    ran |= <int64_t> 1 << self.mine[self.order[s]]
            if self.always[s]:
                before = s
            for i in range(flow.out_starts[self.row_of[s]], flow.out_starts[self.row_of[s] + 1]):
                v = flow.out_items[i]
                if self.bit[v] < 0:
                    latest[v] = instances
                    instances += 1

    cdef void _list(self, int64_t place, int64_t needs, int64_t makes, int64_t over, int64_t kind,
                    int64_t used, int64_t after) noexcept:
        cdef int64_t[::1] row = self.moment[self.count]
        row[NEEDS], row[MAKES], row[OVER], row[KIND] = needs, makes, over, kind
        row[BYTES], row[AFTER] = used, after
        self.place[self.count] = place
        self.count += 1

    cdef bint _may(self, int64_t row, int64_t[::1] latest, int64_t step) noexcept:
        """Whether all other tasks' values that a row reads are held after a step."""
        cdef int64_t i, v
        for i in range(self.flow.in_starts[row], self.flow.in_starts[row + 1]):
            v = self.flow.in_items[i]
            if self.bit[v] < 0 and self.base[latest[v]] >= 0 and (
                    self.end[self.base[latest[v]]] <= step):
                return False
        return True

    cdef void _list_quiet(self, int64_t quiet) noexcept:
        """List steps that do not use the segment's values, many as one moment.

        Pauses: before the first and the last of them, where the fewest bytes are held, and where
        what may run changes. Between two pauses is one STEP with the most bytes in use. The last
        step is left out.
        """
        cdef int64_t i, least = 0, most = 0
        for i in range(quiet):
            if self.left[i] < self.left[least]:
                least = i
        for i in range(quiet):
            if i == 0 or i == least or i == quiet - 1 or self.may[i] != self.may[i - 1] or (
                    self.may[i] != self.may[i + 1]):
                if i:
                    self._list(self.at[i], 0, 0, 0, STEP, most, -1)
                most = 0
                self._list(self.at[i], self.may[i], 0, 0, PAUSE, self.left[i], -1)
            most = max(most, self.used[self.at[i]])

    cdef void _keep_useful(self, const int64_t[:, ::1] run) noexcept:
        """Cut the moments after the segment's last read; set what may be held at each."""
        cdef int64_t useful = 0, before, made = 0, i, j
        while self.count and (self.moment[self.count - 1, KIND] == PAUSE
                              or not self.moment[self.count - 1, NEEDS]):
            self.count -= 1
        for i in range(self.count - 1, -1, -1):
            self.moment[i, AFTER] &= useful
            if self.moment[i, KIND] == STEP and self.moment[i, NEEDS] & ~useful:
                useful |= self.moment[i, NEEDS]
                before = 0
                while before != useful:
                    before = useful
                    for j in range(run.shape[0]):
                        if run[j, MAKES] & useful:
                            useful |= run[j, NEEDS]
        for i in range(self.count):
            if self.moment[i, KIND] == STEP:
                made |= self.moment[i, MAKES]
            self.moment[i, AFTER] &= made
