"""A process that has used threads forks, and its children train: they must not wait forever."""

import os
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_children_of_fork_train_on():
    run = subprocess.run([sys.executable, Path(__file__).parent / "forked.py"], text=True,
                         capture_output=True, timeout=120)
    assert run.returncode == 0 and run.stdout == "done\n", run.stderr
