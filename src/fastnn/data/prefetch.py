"""Draw batches by a thread while others are in use."""

import os
from collections.abc import Iterator
from contextvars import copy_context
from queue import SimpleQueue
from threading import Thread
from typing import Any, Self
from weakref import finalize

from fastnn.arguments import integer


class Prefetch:
    """Batches that a thread draws and prepares while others are in use.

    Order and values are those of the iterable. An error of the iterable is raised where its batch
    would come. The thread ends with the loop, also if that ends early; it is one thread, which
    waits without using the processor while enough is ready.

    It is worth its memory where making a batch takes time in which Python's lock is free (reading
    files, large array operations), on a processor core that training does not need.

    Args:
        data: an iterable of batches; for a `Trainer` anything that `fit` takes but a tuple.
        batches: how many are drawn ahead, 1 or more; each takes its memory.

    Raises:
        ValueError, TypeError: `batches` is no number from 1 on.

    Example:
        >>> [batch for batch in Prefetch([1, 2, 3], batches=2)]
        [1, 2, 3]
    """

    def __init__(self, data: Any, batches: int = 1) -> None:
        self.data = data
        self.batches = integer(batches, "batches", "an integer from 1 on", 1)

    def __iter__(self) -> Iterator[Any]:
        return Ahead(iter(self.data), self.batches)

    def __len__(self) -> int:
        return len(self.data)

    def __repr__(self) -> str:
        return f"Prefetch({self.data!r:.60}, batches={self.batches})"


class _Line:
    """What an `Ahead` and its thread share."""

    def __init__(self, count: int) -> None:
        # Both may be written to by a finalizer, wherever it runs: no other queue allows that.
        self.ready: SimpleQueue[tuple[list[Any], BaseException | None]] = SimpleQueue()
        self.wanted: SimpleQueue[None] = SimpleQueue()
        self.closed = False
        self.process = os.getpid()
        for _ in range(count):
            self.wanted.put(None)

    def close(self) -> None:
        """Let the thread end after the item that it draws, if it runs in this process."""
        if self.process == os.getpid():
            self.closed = True
            self.wanted.put(None)


class Ahead(Iterator[Any]):
    """An iterator whose items a thread draws, at most `count` of them ahead.

    The last item counts as used when the next one is asked for.
    """

    def __init__(self, items: Iterator[Any], count: int) -> None:
        self._line, self._ended = _Line(count), False
        # NumPy's error state and other contexts are those of whoever iterates.
        self._thread = Thread(target=copy_context().run, args=(_draw, items, self._line),
                              name="fastnn prefetch", daemon=True)
        self._thread.start()
        self._close = finalize(self, self._line.close)

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        if self._ended:
            raise StopIteration
        if self._line.process != os.getpid():
            raise RuntimeError("batches that are drawn ahead end at a fork, as their thread does: "
                               "iterate again in the child")
        items, error = self._line.ready.get()
        if error is not None:
            self.close()
            raise error
        self._line.wanted.put(None)
        return items.pop()

    def close(self) -> None:
        """End the thread; waits for the item that it draws."""
        self._ended = True
        self._close()
        if self._line.process == os.getpid():
            self._thread.join()


def _draw(items: Iterator[Any], line: _Line) -> None:
    """Draw items whenever one is wanted, until they end."""
    is_last = False
    while not is_last:
        line.wanted.get()
        if line.closed:
            return
        try:
            result: tuple[list[Any], BaseException | None] = [next(items)], None
        except BaseException as error:  # the end of the items, too
            result = [], error
        is_last = not result[0]
        line.ready.put(result)
        del result  # free it before the next one is drawn
