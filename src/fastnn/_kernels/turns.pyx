"""Who runs when: a lock whose holder is alone, and runs of programs that go on without it.

A run is counted while it lasts. Meanwhile its thread runs C code only and makes no object that
Python's collector tracks. So no finalizer and no signal handler runs there, which might use a model
and then wait for the runs in progress, its own thread's among them.

The lock is in Cython for the same reason: Ctrl-C never comes between taking it and the block that
gives it back.
"""

from _thread import RLock, allocate_lock

from cpython.pythread cimport PyThread_get_thread_ident
from libc.stdint cimport int64_t

cimport numpy

from fastnn._kernels.program cimport Program

numpy.import_array()


cdef class Runs:
    """The runs in progress side by side. All that is here needs Python's lock, but for kernels.

    count: how many there are. waiting: functions to call once, at the end of a run. queue: who
    waits for a turn, as (thread, lock to release). called: threads whose turn it is, until they
    run.
    """

    cdef readonly int64_t count
    cdef readonly list waiting, queue
    cdef readonly set called

    def __init__(self):
        self.waiting, self.queue, self.called = [], [], set()

    def call_next(self):
        """Tell the first one of the queue that it is his turn."""
        if self.queue:
            thread, lock = self.queue.pop(0)
            self.called.add(thread)
            lock.release()

    def run(self, Program program, take, tuple values, list inputs, arena, memory, owner, touched,
            release, list views, list results, call_next):
        """Run all of a program on values and copy views to results; returns whether it did.

        It does not, and nothing has happened, if `take` refuses the values, or the arena is busy or
        its memory is not this one any more. inputs: the slots of the values, which are released at
        the end; the caller keeps the arrays, so that none is freed here. owner, touched: what the
        arena notes of this run. release: called as soon as the run is counted. call_next: whether
        it is the next one's turn afterwards.
        """
        cdef int64_t i
        cdef int slot
        if (not take(values) or arena.busy or program._arrays[0] is not memory
                or program.unbound or len(views) != len(results)):
            return False
        self.count += 1
        self.called.discard(PyThread_get_thread_ident())
        try:
            arena.busy, arena.owner, arena.touched = True, owner, touched
            release()
            with nogil:
                i = program.execute(0, program.count)
            for i in range(len(views)):
                numpy.PyArray_CopyInto(<numpy.ndarray> results[i], <numpy.ndarray> views[i])
            for i in range(len(inputs)):
                slot = inputs[i]
                program.release(slot)
        finally:
            arena.busy = False
            self.count -= 1
            while self.waiting:
                self.waiting.pop()()
            if call_next:
                self.call_next()
        return True

    def wait(self, int64_t most):
        """Wait until at most so many runs are in progress. The caller holds the lock.

        That cannot be forever: a run needs nothing that another thread holds, and none begins.
        """
        while self.count > most:
            ended = allocate_lock()
            ended.acquire()
            self.waiting.append(ended.release)
            if self.count > most:  # else the last one may have ended before it saw us wait
                ended.acquire()


runs = Runs()
cdef Runs _runs = runs


class ProcessLock(RLock):
    """A reentrant lock whose holder is alone: no plan runs in another thread.

    It is taken first, so that no run begins, and then waits for the end of those in progress.
    """

    def __enter__(self):
        self.acquire()
        return True

    def acquire(self, blocking=True, timeout=-1):
        """Take the lock; whoever is willing to wait for it also waits for runs, however long."""
        if not RLock.acquire(self, blocking, timeout):
            return False
        if _runs.count:
            if not blocking:
                self.release()
                return False
            try:
                _runs.wait(0)
            except BaseException:  # KeyboardInterrupt
                self.release()
                raise
        return True

    def _acquire_restore(self, held):
        """Take it as often as it was held before `_release_save`, which Condition calls too."""
        RLock._acquire_restore(self, held)
        _runs.wait(0)

    def is_mine(self):
        """Whether the calling thread holds it."""
        return self._is_owned()


cdef class Beside:
    """A context in which a thread that does not hold the lock has it, while runs go on.

    Inside it may begin a run, which releases the lock, or call `be_alone`.
    """

    cdef object lock

    def __init__(self, lock):
        self.lock = lock

    def __enter__(self):
        RLock.acquire(self.lock)

    def __exit__(self, kind, error, traceback):
        if self.lock._is_owned():
            self.lock.release()

    def be_alone(self):
        """Wait until no run is in progress."""
        _runs.wait(0)
