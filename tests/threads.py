"""The same function in several Python threads at once."""

import threading
from concurrent.futures import ThreadPoolExecutor


def in_threads(function, count=4):
    """What a function of a number returns in so many threads at once; or what it raises."""
    start = threading.Barrier(count)

    def run(number):
        start.wait(60)
        return function(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))
