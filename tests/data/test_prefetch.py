"""Batches that a thread draws: the same ones, few ahead, and a thread that ends."""

import gc
import os
import threading
import weakref

import numpy as np
import pytest

from fastnn.data import Batches, Prefetch, RandomShift, Standardize, Whiten
from fastnn.data.prefetch import Ahead


def threads():
    return sum(thread.name == "fastnn prefetch" for thread in threading.enumerate())


@pytest.mark.parametrize("count", [1, 2, 7, 50])
def test_order_and_items_are_those_of_the_iterable(count):
    ahead = Prefetch(range(20), count)
    assert list(ahead) == list(range(20)) == list(ahead) and len(ahead) == 20
    assert threads() == 0


@pytest.mark.parametrize("count", [1, 3])
def test_no_more_than_said_are_ahead(count):
    drawn, reached = [], threading.Semaphore(0)

    def items():
        for i in range(10):
            drawn.append(i)
            reached.release()
            yield i

    ahead = Ahead(items(), count)
    for _ in range(count):
        reached.acquire()
    assert drawn == list(range(count))
    for i in range(4):
        assert next(ahead) == i
        assert reached.acquire(timeout=60)
        assert len(drawn) == count + i + 1
    ahead.close()
    assert threads() == 0 and len(drawn) == count + 4
    assert list(ahead) == []


@pytest.mark.parametrize("transform", [RandomShift(2), lambda x, generator: x + generator.random()])
@pytest.mark.parametrize("preprocess", [Standardize(), Whiten()])
def test_bits_of_batches_are_those_without_a_thread(transform, preprocess):
    x = np.random.default_rng(0).normal(size=(40, 1, 6, 6))
    batches = Batches(x, np.arange(40) % 3, 8, transform=transform, preprocess=preprocess.fit(x))
    pairs = zip(Prefetch(batches.epoch(3), 2), batches.epoch(3), strict=True)
    for (x, y), (expected_x, expected_y) in pairs:
        assert x.tobytes() == expected_x.tobytes() and y.tobytes() == expected_y.tobytes()


class Broken(Exception):
    pass


@pytest.mark.parametrize("count", [1, 4])
@pytest.mark.parametrize("error", [Broken, KeyboardInterrupt, RuntimeError])
def test_an_error_comes_where_its_batch_would(count, error):
    def items():
        yield from range(3)
        raise error("here")

    ahead = iter(Prefetch(items(), count))
    assert [next(ahead) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(error, match="here") as caught:
        next(ahead)
    assert caught.traceback[-1].name == "items"
    assert list(ahead) == [] and threads() == 0


def test_a_loop_that_ends_early_ends_the_thread():
    for item in Prefetch(iter(range(100)), 2):
        if item == 3:
            break
    deadline = threading.Event()
    for _ in range(200):
        gc.collect()
        if not threads():
            break
        deadline.wait(0.05)
    assert threads() == 0


def test_batches_are_released_before_the_next_is_drawn():
    alive = []

    class Item:
        pass

    def items():
        for _ in range(6):
            item = Item()
            alive.append(weakref.ref(item))
            yield item
            del item

    ahead = Ahead(items(), 2)
    for i in range(6):
        item = next(ahead)
        assert sum(ref() is not None for ref in alive[:i]) == 0
        del item
    ahead.close()
    assert not any(ref() for ref in alive)


def test_the_callers_context_holds_in_the_thread():
    def items():
        yield np.array([1e300]).astype(np.float32)

    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        next(Ahead(items(), 1))


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_child_iterates_again():
    ahead = Prefetch(list(range(5)), 2)
    started = iter(ahead)
    assert next(started) == 0
    child = os.fork()
    if child == 0:
        try:
            next(started)
        except RuntimeError:
            started.close()
            os._exit(0 if list(ahead) == [0, 1, 2, 3, 4] else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(started) == [1, 2, 3, 4]


@pytest.mark.parametrize("batches", [0, -1, 1.5, "2"])
def test_how_many_is_checked(batches):
    with pytest.raises((ValueError, TypeError), match="batches must be an integer from 1 on"):
        Prefetch([], batches)
