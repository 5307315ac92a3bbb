"""A plugin of pytest: coverage is told which test runs, in this process and in those it starts.

Those read `MUTATE_TEST` (see `coverage.ini` in `tests_of.py`). How long each test takes is written
to the file that `MUTATE_SECONDS` names.
"""

import json
import os
import time
from collections.abc import Iterator

import coverage
import pytest

_seconds: dict[str, float] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    os.environ["MUTATE_TEST"] = item.nodeid
    measured = coverage.Coverage.current()
    assert measured is not None
    measured.switch_context(item.nodeid)
    start = time.monotonic()
    result = yield
    _seconds[item.nodeid] = time.monotonic() - start
    return result


def pytest_sessionfinish() -> None:
    with open(os.environ["MUTATE_SECONDS"], "w") as file:
        json.dump(_seconds, file)
