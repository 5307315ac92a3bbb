"""Simulate a schedule: who reads what, how long each instance lives, bytes in use.

One compiled pass over arrays, since a search runs it many thousands of times.
"""

from libc.stdint cimport int64_t, uint8_t

import numpy


cdef class Flow:
    """Tasks as rows of arrays: a row for each task, then one for each as it is recomputed.

    inputs, outputs, over: (starts, items) of lists of values; list i is items[starts[i] :
    starts[i + 1]]. view: the value that a row's output is a view of, LEAF, or less if it is no
    view. workspace: bytes of a row. sizes, reserved, results: of each value, its bytes, the bytes
    it takes in the arena, and whether it is kept until the end.
    """

    def __init__(self, inputs, outputs, over, view, workspace, sizes, reserved, results):
        self.in_starts, self.in_items = inputs
        self.out_starts, self.out_items = outputs
        self.over_starts, self.over_items = over
        self.view, self.workspace, self.sizes, self.reserved = view, workspace, sizes, reserved
        self.results = results.view(numpy.uint8)
        self.tasks = view.size // 2

    def follow(self, const int64_t[::1] order):
        """(first_runs, made, value, last_read, read_at, read, used) of a schedule.

        made, value, last_read: of each instance. read_at, read: step and instance of each read.
        used: bytes in use at each step. Every task in `order` must follow the makers of its inputs.
        """
        cdef int64_t steps = order.shape[0], s, i, row, k, b, instances = 0, readings = 0, held = 0
        rows = numpy.empty(steps, numpy.int64)
        first = numpy.empty(steps, numpy.uint8)
        cdef int64_t[::1] row_of = rows
        cdef uint8_t[::1] first_of = first
        cdef uint8_t[::1] seen = numpy.zeros(self.tasks, numpy.uint8)
        for s in range(steps):
            first_of[s] = not seen[order[s]]
            seen[order[s]] = 1
            row = order[s] if first_of[s] else order[s] + self.tasks
            row_of[s] = row
            instances += self.out_starts[row + 1] - self.out_starts[row]
            readings += self.in_starts[row + 1] - self.in_starts[row]
        made = numpy.empty(instances, numpy.int64)
        value = numpy.empty(instances, numpy.int64)
        last_read = numpy.empty(instances, numpy.int64)
        read_at = numpy.empty(readings, numpy.int64)
        read = numpy.empty(readings, numpy.int64)
        used = numpy.empty(steps, numpy.int64)
        cdef int64_t[::1] made_at = made, value_of = value, last = last_read
        cdef int64_t[::1] at = read_at, instance = read, in_use = used
        cdef int64_t[::1] latest = numpy.full(self.sizes.shape[0], -1, numpy.int64)
        # base: the instance whose memory each one shares. end: the last step that reads it.
        cdef int64_t[::1] base = numpy.empty(instances, numpy.int64)
        cdef int64_t[::1] end = numpy.empty(instances, numpy.int64)
        cdef int64_t[::1] change = numpy.zeros(steps + 2, numpy.int64)
        instances = readings = 0
        for s in range(steps):
            row = row_of[s]
            for i in range(self.in_starts[row], self.in_starts[row + 1]):
                k = latest[self.in_items[i]]
                at[readings], instance[readings] = s, k
                readings += 1
                last[k] = s
                if base[k] >= 0:
                    end[base[k]] = s
            b = self.view[row]
            if b >= 0:
                b = base[latest[b]]
            for i in range(self.out_starts[row], self.out_starts[row + 1]):
                k = instances
                instances += 1
                made_at[k], value_of[k], last[k], end[k] = s, self.out_items[i], s, s
                base[k] = b if self.view[row] >= LEAF else k
                latest[self.out_items[i]] = k
        for k in range(instances):
            if self.results[value_of[k]] and first_of[made_at[k]] and base[k] >= 0:
                end[base[k]] = steps
        self._reserve(made_at, base, end, value_of, change)
        self._write_over(row_of, instance, base, end, value_of, change)
        for s in range(steps):
            held += change[s]
            in_use[s] = held + self.workspace[row_of[s]]
        return first.view(bool), made, value, last_read, read_at, read, used

    cdef _reserve(self, int64_t[::1] made_at, int64_t[::1] base, int64_t[::1] end,
                  int64_t[::1] value_of, int64_t[::1] change):
        """An instance with memory of its own has it from where it is made to where it ends."""
        cdef int64_t k
        for k in range(base.shape[0]):
            if base[k] == k:
                change[made_at[k]] += self.reserved[value_of[k]]
                change[end[k] + 1] -= self.reserved[value_of[k]]

    cdef _write_over(self, int64_t[::1] row_of, int64_t[::1] read, int64_t[::1] base,
                     int64_t[::1] end, int64_t[::1] value_of, int64_t[::1] change):
        """Count memory that a step overwrites once: as its result's, from that step on."""
        cdef int64_t s, i, j, row, b, many, count, start = 0, size
        for s in range(row_of.shape[0]):
            row = row_of[s]
            many = self.in_starts[row + 1] - self.in_starts[row]
            for i in range(self.over_starts[row], self.over_starts[row + 1]):
                b, count = -1, 0
                for j in range(many):
                    if self.in_items[self.in_starts[row] + j] == self.over_items[i]:
                        b = base[read[start + j]]
                if b < 0 or end[b] > s:
                    continue
                size = self.sizes[self.out_items[self.out_starts[row]]]
                for j in range(many):
                    count += base[read[start + j]] == b
                if count == 1 and self.sizes[value_of[b]] == size:
                    change[s] -= self.reserved[value_of[b]]
                    change[s + 1] += self.reserved[value_of[b]]
                    break
            start += many

    def useful(self, const int64_t[::1] order, made, read_at, read, first_runs):
        """Which steps are first runs or have a reader that is useful, as an array of bool."""
        cdef const int64_t[::1] made_at = made, at = read_at, instance = read
        found = first_runs.copy()
        cdef uint8_t[::1] keep = found.view(numpy.uint8)
        cdef int64_t i
        for i in range(at.shape[0] - 1, -1, -1):  # readers before what they read
            if keep[at[i]]:
                keep[made_at[instance[i]]] = 1
        return found

    def missing(self, const int64_t[::1] producer, const uint8_t[::1] recomputable,
                const int64_t[::1] made, const int64_t[::1] value, const int64_t[::1] last_read,
                int64_t wanted, int64_t step):
        """Tasks to recompute before a step so that it can read a value, in order.

        The value's producer, and those of all inputs on the way that are not held there.
        """
        cdef int64_t k, task, count = 1
        marks = numpy.zeros(self.tasks, numpy.uint8)
        cdef uint8_t[::1] found = marks
        cdef uint8_t[::1] held = numpy.zeros(self.sizes.shape[0], numpy.uint8)
        cdef int64_t[::1] pending = numpy.empty(self.tasks, numpy.int64)
        for k in range(made.shape[0]):
            if made[k] < step and last_read[k] >= step:
                held[value[k]] = 1
        held[wanted] = 0
        pending[0] = producer[wanted]
        found[producer[wanted]] = 1
        while count:
            count -= 1
            task = pending[count]
            for k in range(self.in_starts[task], self.in_starts[task + 1]):
                wanted = self.in_items[k]
                if not held[wanted] and recomputable[wanted] and not found[producer[wanted]]:
                    found[producer[wanted]] = 1
                    pending[count] = producer[wanted]
                    count += 1
        return numpy.flatnonzero(marks)

    def overshoot(self, const int64_t[::1] used, const uint8_t[::1] first_runs, int64_t limit):
        """Bytes above a limit: the maximum of each stage (see `improve.overshoot`), summed."""
        cdef int64_t s, most = 0, total = 0
        for s in range(used.shape[0]):
            most = max(most, used[s] - limit)
            if first_runs[s]:
                total += most
                most = 0
        return total + most
