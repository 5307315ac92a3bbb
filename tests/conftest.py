"""Every test starts from the same seed and thread count."""

import pytest

import fastnn as fn


@pytest.fixture(autouse=True)
def _same_start():
    threads = fn.get_num_threads()
    fn.manual_seed(0)
    yield
    fn.set_num_threads(threads)
