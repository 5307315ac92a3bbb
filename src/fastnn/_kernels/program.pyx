"""A frozen list of kernel calls, run as one. Pointers are slot + offset, resolved at each call.

Slots are a plan's blocks of memory: the arena, and one for each array from outside. `add` checks
the size of each buffer against its kernel's extents, so that a run can trust every pointer.
"""

from cpython.mem cimport PyMem_Free, PyMem_Malloc
from cython.parallel cimport parallel, threadid
from libc.math cimport isfinite
from libc.stdint cimport int64_t, uint64_t, uintptr_t
from libc.string cimport memset

from fastnn._kernels.kernel cimport kernel_fn
from fastnn._kernels.team cimport in_forked_child

cdef extern from "simd/detect.h":
    uint64_t flush_denormals() noexcept nogil
    void restore_denormals(uint64_t state) noexcept nogil


cdef void flush_in_team(int threads, uint64_t *states) noexcept nogil:
    """Flush denormals in every thread of the team; workers keep the setting between regions."""
    if threads == 1:
        states[0] = flush_denormals()
        return
    with parallel(num_threads=threads):
        states[threadid()] = flush_denormals()


cdef void restore_in_team(int threads, uint64_t *states) noexcept nogil:
    if threads == 1:
        restore_denormals(states[0])
        return
    with parallel(num_threads=threads):
        restore_denormals(states[threadid()])


cdef class Program:
    """Calls in order; `run(first, last)` executes a range of them without Python in between.

    Between ranges there may be pauses, in which the caller runs other code.
    """

    def __cinit__(self, int threads):
        if not 1 <= threads <= MAX_THREADS:
            raise ValueError(f"threads must be from 1 to {MAX_THREADS}, got {threads}")
        self.threads = threads
        self._calls, self._buffers, self._d, self._s = [], [], [], []
        self._sizes, self._arrays = [], []
        self.count = 0

    def __dealloc__(self):
        PyMem_Free(self.calls)
        PyMem_Free(self.slot_of)
        PyMem_Free(self.offset_of)
        PyMem_Free(self.d)
        PyMem_Free(self.s)
        PyMem_Free(self.slots)
        PyMem_Free(self.pointers)

    def add_slot(self, int64_t size):
        """Declare a memory of `size` bytes; returns its number."""
        self._sizes.append(size)
        self._arrays.append(None)
        self.unbound += 1
        return len(self._sizes) - 1

    def add_null_slot(self):
        """Declare what stands for operands that are absent: a null pointer; returns its number."""
        self._sizes.append(0)
        self._arrays.append(None)
        return len(self._sizes) - 1

    def add(self, kernel, buffers, d, s, threads=None):
        """Append a call; buffers are (slot, offset, bytes). Raises if one is too small.

        threads: its team size, by default all.
        """
        team = self.threads if threads is None else threads
        if not 1 <= team <= self.threads:
            raise ValueError(f"a team is from 1 to {self.threads} threads, got {team}")
        extents = kernel.extents(d, team)
        if len(extents) != len(buffers):
            raise ValueError(f"{kernel.name} takes {len(extents)} buffers, got {len(buffers)}")
        for i, ((slot, offset, size), extent) in enumerate(zip(buffers, extents)):
            if extent > size or offset < 0 or offset + size > self._sizes[slot]:
                raise ValueError(f"{kernel.name}: buffer {i} spans {extent} bytes at {offset} of "
                                 f"{size}, in a memory of {self._sizes[slot]}")
        self._append(kernel.address, buffers, d, s, team)

    def add_pause(self):
        """Append a call of nothing, over which no run goes."""
        self._append(0, (), (), (), 1)

    def _append(self, address, buffers, d, s, team):
        self._calls.append((address, len(self._buffers), len(buffers), len(self._d), len(self._s),
                            team))
        self._buffers.extend((slot, offset) for slot, offset, _ in buffers)
        self._d.extend(d)
        self._s.extend(s)

    def freeze(self):
        """Copy the calls into plain memory; nothing can be added afterwards."""
        cdef int64_t i
        most = max((call[2] for call in self._calls), default=0)
        self.calls = <call_t *> _allocate(len(self._calls) * sizeof(call_t))
        self.slot_of = <int64_t *> _allocate(len(self._buffers) * 8)
        self.offset_of = <int64_t *> _allocate(len(self._buffers) * 8)
        self.d = <int64_t *> _allocate(len(self._d) * 8)
        self.s = <double *> _allocate(len(self._s) * 8)
        self.slots = <char **> _allocate(len(self._sizes) * sizeof(char *))
        self.pointers = <char **> _allocate(most * sizeof(char *))
        for i, (address, first_buffer, buffers, first_d, first_s, team) in enumerate(self._calls):
            self.calls[i].function = <kernel_fn> <uintptr_t> address
            self.calls[i].first_buffer, self.calls[i].buffers = first_buffer, buffers
            self.calls[i].first_d, self.calls[i].first_s = first_d, first_s
            self.calls[i].threads = team
        for i, (slot, offset) in enumerate(self._buffers):
            self.slot_of[i], self.offset_of[i] = slot, offset
        for i, value in enumerate(self._d):
            self.d[i] = value
        for i, real in enumerate(self._s):
            self.s[i] = real
        self.count = len(self._calls)
        self._calls, self._buffers, self._d, self._s = [], [], [], []

    def bind(self, int slot, array):
        """Bind a slot to the memory of a C-contiguous array, which is kept alive."""
        cdef uintptr_t address = array.ctypes.data
        if not 0 <= slot < len(self._sizes) or self.slots == NULL:
            raise ValueError(f"no slot {slot}")
        if not array.flags.c_contiguous or array.nbytes < self._sizes[slot]:
            raise ValueError(f"slot {slot} needs {self._sizes[slot]} contiguous bytes, got "
                             f"{array.nbytes}")
        self.place(slot, array, <char *> address)

    cdef int place(self, int slot, array, char *address) except -1:
        """Bind a slot to an address inside a large enough array."""
        self.unbound -= self._arrays[slot] is None
        self.slots[slot] = address
        self._arrays[slot] = array
        return 0

    def release(self, int slot):
        """Release a slot's memory; nothing runs until it is bound again."""
        if self._arrays[slot] is not None:
            self.unbound += 1
            self.slots[slot] = NULL
            self._arrays[slot] = None

    def array(self, int slot):
        """The array that a slot was last bound to."""
        return self._arrays[slot]

    def number(self, int slot, int64_t offset):
        """The float32 at an offset in a slot."""
        return (<const float *> self.at(slot, offset, 4))[0]

    def are_finite(self, places):
        """Whether the float64s at (slot, offset) of each of these places are finite."""
        cdef int slot
        cdef int64_t offset
        for slot, offset in places:
            if not isfinite((<const double *> self.at(slot, offset, 8))[0]):
                return False
        return True

    cdef const char *at(self, int slot, int64_t offset, int64_t size) except NULL:
        """The address of `size` bytes at an offset in a slot."""
        if not 0 <= slot < len(self._sizes) or not 0 <= offset <= self._sizes[slot] - size:
            raise ValueError(f"no number at {offset} of slot {slot}")
        if self.slots[slot] == NULL:
            raise ValueError(f"slot {slot} is not bound")
        return self.slots[slot] + offset

    def run(self, int64_t first, int64_t last):
        """Execute calls first .. last - 1, with denormals flushed to zero."""
        cdef int64_t i
        if not 0 <= first <= last <= self.count:
            raise ValueError(f"calls {first}..{last} are outside of 0..{self.count}")
        if self.unbound:
            raise ValueError(f"{self.unbound} memories of the program are not bound")
        if first == last:
            return
        with nogil:
            i = self.execute(first, last)
        if i < last:
            raise ValueError(f"call {i} is a pause")

    cdef int64_t execute(self, int64_t first, int64_t last) noexcept nogil:
        """Execute calls of a valid range up to a pause, all memories bound; returns the place."""
        cdef int threads = 1 if in_forked_child() else self.threads
        flush_in_team(threads, self.states)
        first = self._run_kernels(first, last, threads)
        restore_in_team(threads, self.states)
        return first

    cdef int64_t _run_kernels(self, int64_t i, int64_t last, int threads) noexcept nogil:
        cdef call_t *call
        cdef int64_t k, buffer
        while i < last and self.calls[i].function != NULL:
            call = &self.calls[i]
            for k in range(call.buffers):
                buffer = call.first_buffer + k
                self.pointers[k] = self.slots[self.slot_of[buffer]] + self.offset_of[buffer]
            call.function(self.pointers, self.d + call.first_d, self.s + call.first_s,
                          min(call.threads, threads))
            i += 1
        return i


cdef void *_allocate(int64_t size) except NULL:
    cdef void *memory = PyMem_Malloc(max(size, 8))
    if memory == NULL:
        raise MemoryError(f"no memory for {size} bytes of a plan")
    memset(memory, 0, max(size, 8))
    return memory
