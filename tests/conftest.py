"""Every test starts from the same seed, with one thread unless it asks for more."""

import signal

import pytest

import fastnn as fn

# A shell that starts a job in the background lets it ignore Ctrl-C, and its children too.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _same_start():
    threads = fn.get_num_threads()
    fn.manual_seed(0)
    fn.set_num_threads(1)  # small tests on busy machines would only wait for each other
    yield
    fn.set_num_threads(threads)
