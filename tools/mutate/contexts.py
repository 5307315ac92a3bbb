"""A plugin of pytest: coverage is told which test runs, in this process and in those it starts.

Those read `MUTATE_TEST` (see CONFIG in `tests_of.py`). How long each test takes that passes is
written to the file that `MUTATE_SECONDS` names: one that fails without a mistake finds none.
"""

import json
import os
import time
from collections.abc import Iterator

import coverage
import pytest

_seconds: dict[str, float] = {}
_failed: set[str] = set()


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


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    if not report.passed:
        _failed.add(report.nodeid)


def pytest_sessionfinish() -> None:
    passed = {test: time for test, time in _seconds.items() if test not in _failed}
    with open(os.environ["MUTATE_SECONDS"], "w") as file:
        json.dump(passed, file)
