"""Run an example of the notebook with its small settings, and read the figures of its claim."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "examples" / "notebook"
CPU_SECONDS = 30  # 10 seconds on two processors, on a machine that may be busy with others


def figures(name: str, folder: Path) -> dict[str, float]:
    """The figures that examples/notebook/NAME.py prints last; its pictures are in `folder`."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, FOLDER / f"{name}.py", "--output", folder], capture_output=True, text=True,
        timeout=300, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < CPU_SECONDS
    found = {key: float(value)
             for key, value in re.findall(r"(?m)^(\w+) = (\S+)$", done.stdout)}
    assert found, done.stdout
    return found
