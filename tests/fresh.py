"""Tests of the process's memory, each in a process of its own: others leave and free memory."""

import functools
import importlib
import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

import fastnn as fn


def in_a_fresh_process(test: Callable[[], None]) -> Callable[[], None]:
    """Run a test without arguments in a new process; what it raises is raised here."""

    @functools.wraps(test)
    def run() -> None:
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            pool.submit(_call, test.__module__, test.__name__).result()

    return run


def _call(module: str, name: str) -> None:
    fn.manual_seed(0)  # as conftest.py does
    fn.set_num_threads(1)
    getattr(importlib.import_module(module), name).__wrapped__()
