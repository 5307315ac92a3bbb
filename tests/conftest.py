"""Every test starts from the same seed, with one thread unless it asks for more."""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

import fastnn as fn

# A shell that starts a job in the background lets it ignore Ctrl-C, and its children too.
signal.signal(signal.SIGINT, signal.default_int_handler)

# Plans by fixed rates, the same on every machine: below a file no folder can be made, so that
# neither this process nor its children keep, or measure, any others.
_CACHE = tempfile.TemporaryDirectory(prefix="fastnn-tests-")
Path(_CACHE.name, "fastnn").touch()
os.environ["XDG_CACHE_HOME"] = _CACHE.name

# The same examples on every run; no deadline, which a busy machine would miss. `thorough` draws
# new ones each time and more of them, `sanitized` fewer: pytest --hypothesis-profile=thorough
settings.register_profile("fastnn", deadline=None, derandomize=True,
                          suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("thorough", settings.get_profile("fastnn"), derandomize=False,
                          max_examples=2000)
settings.register_profile("sanitized", settings.get_profile("fastnn"), max_examples=40)
settings.load_profile("fastnn")


@pytest.fixture(autouse=True)
def _same_start():
    threads = fn.get_num_threads()
    fn.manual_seed(0)
    fn.set_num_threads(1)  # small tests on busy machines would only wait for each other
    yield
    fn.set_num_threads(threads)


@pytest.fixture
def unfilled(monkeypatch):
    """Nets as large as they are, without drawing their weights."""
    monkeypatch.setattr(fn.nn.init, "_fill", lambda data, draw: None)
