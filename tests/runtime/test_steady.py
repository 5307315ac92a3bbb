"""A steady training step takes nothing: no page fault, and no call of the allocator."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
ROOT = HERE.parent.parent


@pytest.fixture(scope="module")
def windows(tmp_path_factory):
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("counts calls with LD_PRELOAD: needs Linux and a C compiler")
    library = tmp_path_factory.mktemp("steady") / "count_allocations.so"
    subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library,
                    HERE / "count_allocations.c", "-ldl"], check=True)
    run = subprocess.run([sys.executable, HERE / "steady.py", "1", "2"], text=True, check=True,
                         stdout=subprocess.PIPE, timeout=300,
                         env={**os.environ, "LD_PRELOAD": str(library)})
    return [json.loads(line) for line in run.stdout.splitlines()]


def test_a_steady_step_takes_nothing(windows):
    """What each step takes shows in every window; what the system does now and then, in some."""
    assert len(windows) == 6 and {entry["planned"] for entry in windows} == {1, 2}
    for entry in windows:
        assert min(entry["faults"]) == 0, f"page faults in ten steps: {entry}"
        assert min(entry["calls"]) == 0, f"calls of the allocator in ten steps: {entry}"
        assert max(entry["largest"]) <= 1 << 20, f"Python's own pools at most: {entry}"
