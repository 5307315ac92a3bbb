"""First-fit packing of buffers with lifetimes, and hill climbing over the order of placement."""

from libc.stdint cimport int64_t, uint64_t
from libc.string cimport memmove

import numpy


cdef struct Slot:  # a placed buffer
    int64_t number, offset, end, first, last


cdef class FirstFit:
    """Buffers of `sizes` bytes, alive from step `first` through step `last`.

    order: in which they are placed. offsets: of each buffer; buffers that live at the same step do
    not overlap. total: bytes of the whole packing. tried: the number of orders tried so far.
    """

    cdef readonly int64_t total, tried
    cdef const int64_t[::1] sizes, first, last
    cdef int64_t[::1] number, offset, rank, chosen
    cdef object memory
    cdef Slot *slots  # the placed buffers, by offset
    cdef int64_t count, goal
    cdef double excess  # how far buffers end above the goal, in squared bytes
    cdef uint64_t state  # of the random generator

    def __init__(self, const int64_t[::1] sizes, const int64_t[::1] first,
                 const int64_t[::1] last, int64_t goal):
        cdef int64_t[::1] memory
        self.sizes, self.first, self.last, self.goal = sizes, first, last, goal
        self.count, self.state = sizes.shape[0], 1
        self.number, self.offset, self.rank, self.chosen = numpy.zeros(
            (4, max(self.count, 1)), numpy.int64)
        memory = self.memory = numpy.zeros((self.count + 1) * 5, numpy.int64)
        self.slots = <Slot *> &memory[0]

    @property
    def order(self):
        return numpy.array(self.number[:self.count])

    @property
    def offsets(self):
        return numpy.array(self.offset[:self.count])

    def start(self, const int64_t[::1] order):
        """Place all buffers in this order."""
        self.number[:self.count] = order
        self._place(0)

    def climb(self, int64_t below, int64_t patience, int64_t most):
        """Change the order until the packing takes less than `below` bytes; False if it never does.

        Each change moves a buffer that ends above the goal to before one that lives at the same
        time, and is undone if the excess grows. The climb ends after `patience` changes in a row
        without gain, or after `most` orders in all.
        """
        cdef int64_t stale = 0, place, target
        cdef double before
        while stale < patience and self.tried < most and self.excess > 0:
            place = self._above()
            target = self._under(place)
            if target < 0:
                return False
            before = self.excess
            self._move(place, target)
            self._place(target)
            stale += 1
            if self.excess > before:
                self._move_back(place, target)
                self._place(target)
            elif self.excess < before:
                stale = 0
                if self.total < below:
                    return True
        return False

    cdef void _move(self, int64_t place, int64_t target) noexcept:
        cdef int64_t moved = self.number[place]
        memmove(&self.number[target + 1], &self.number[target], (place - target) * sizeof(int64_t))
        self.number[target] = moved

    cdef void _move_back(self, int64_t place, int64_t target) noexcept:
        cdef int64_t moved = self.number[target]
        memmove(&self.number[target], &self.number[target + 1], (place - target) * sizeof(int64_t))
        self.number[place] = moved

    cdef int64_t _pick(self, int64_t count) noexcept:
        """One of the chosen places, at random (Knuth's MMIX generator)."""
        self.state = self.state * <uint64_t> 6364136223846793005U + <uint64_t> 1442695040888963407U
        return self.chosen[(self.state >> 33) % <uint64_t> count]

    cdef int64_t _above(self) noexcept:
        """A place in the order of a buffer that ends above the goal."""
        cdef int64_t place, count = 0
        for place in range(self.count):
            if self.offset[self.number[place]] + self.sizes[self.number[place]] > self.goal:
                self.chosen[count] = place
                count += 1
        return self._pick(count)

    cdef int64_t _under(self, int64_t place) noexcept:
        """An earlier place of a buffer that lives at the same time; -1 if there is none."""
        cdef int64_t earlier, other, number = self.number[place], count = 0
        for earlier in range(place):
            other = self.number[earlier]
            if self.first[other] <= self.last[number] and self.last[other] >= self.first[number]:
                self.chosen[count] = earlier
                count += 1
        return self._pick(count) if count else -1

    cdef void _place(self, int64_t start) noexcept:
        """Place the buffers from a position in the order on; those before it stay."""
        cdef int64_t place, kept = 0, k, number, floor, size, first, last
        cdef Slot *slot
        for place in range(self.count):
            self.rank[self.number[place]] = place
        for k in range(self.count if start else 0):
            if self.rank[self.slots[k].number] < start:
                self.slots[kept] = self.slots[k]
                kept += 1
        for place in range(start, self.count):
            number, floor, slot = self.number[place], 0, self.slots
            size, first, last = self.sizes[number], self.first[number], self.last[number]
            for _ in range(place):
                if slot.first <= last and slot.last >= first:
                    if slot.offset >= floor + size:
                        break
                    floor = max(floor, slot.end)
                slot += 1
            k = place
            while k > 0 and self.slots[k - 1].offset >= floor:
                k -= 1
            memmove(&self.slots[k + 1], &self.slots[k], (place - k) * sizeof(Slot))
            self.slots[k] = Slot(number, floor, floor + size, first, last)
            self.offset[number] = floor
        self._add_up()

    cdef void _add_up(self) noexcept:
        cdef int64_t k, above
        self.total, self.excess = 0, 0
        self.tried += 1
        for k in range(self.count):
            self.total = max(self.total, self.slots[k].end)
            above = self.slots[k].end - self.goal
            if above > 0:
                self.excess += <double> above * min(above, self.sizes[self.slots[k].number])
