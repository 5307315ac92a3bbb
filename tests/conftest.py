"""Every test starts from the same seed, with one thread unless it asks for more."""

import pytest

import fastnn as fn


@pytest.fixture(autouse=True)
def _same_start():
    threads = fn.get_num_threads()
    fn.manual_seed(0)
    fn.set_num_threads(1)  # small tests on busy machines would only wait for each other
    yield
    fn.set_num_threads(threads)
