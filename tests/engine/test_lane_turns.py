"""More threads infer than there are lanes: each gets its turn."""

import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from time import perf_counter, sleep

import fastnn as fn
from fastnn.engine import side_by_side
from fastnn.engine.lane_turns import SPELL
from tests.engine.test_side_by_side import slow
from tests.nets import batch


@contextmanager
def busy(monkeypatch, count):
    """Threads that infer without a pause, in two lanes, and how many calls each has made."""
    monkeypatch.setattr(side_by_side, "most_at_once", lambda: 2)
    fn.set_num_threads(1)
    net, x = slow(), batch(2)[0]
    done, counts = threading.Event(), [0] * count

    def infer(number):
        while not done.is_set():
            net(x)
            counts[number] += 1

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(infer, number) for number in range(count)]
        try:
            yield net, x, counts
        finally:
            done.set()
            for call in calls:
                call.result(60)


def test_threads_that_infer_without_a_pause_get_like_shares(monkeypatch):
    with busy(monkeypatch, 6) as (_, _, counts):
        sleep(2)
    assert min(counts) > sum(counts) / len(counts) / 3, counts


def test_a_thread_that_calls_now_and_then_gets_its_turn(monkeypatch):
    waits = []
    with busy(monkeypatch, 3) as (net, x, _):
        for _ in range(10):
            sleep(0.02)
            start = perf_counter()
            net(x)
            waits.append(perf_counter() - start)
    assert sorted(waits)[5] < 6 * SPELL, waits
