"""A kernel call passes few parallel regions: each is a start of a team, and a wait for its last."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# By the first word of a kernel's name; others pass one. Of convolutions, the first packs weights.
MOST = {
    "conv2d": 2,
    "batch": 3,     # sums, their merge, the gradient
    "winograd": 4,  # of weights that no cache holds, two for each block of tiles
}


def test_calls_of_the_bench_nets_pass_few_parallel_regions(tmp_path: Path) -> None:
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if not sys.platform.startswith("linux") or compiler is None:
        pytest.skip("counts calls with LD_PRELOAD: needs Linux and a C compiler")
    library = tmp_path / "count_regions.so"
    built = subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library,
                            HERE / "count_regions.c", "-Wl,--no-as-needed", "-lgomp", "-ldl"])
    if built.returncode:
        pytest.skip("counts what GCC's OpenMP starts: needs libgomp")
    run = subprocess.run([sys.executable, "-m", "tests.runtime.regions", "16"], text=True,
                         check=True, stdout=subprocess.PIPE, timeout=300, cwd=HERE.parent.parent,
                         env={**os.environ, "LD_PRELOAD": str(library)})
    passed = json.loads(run.stdout)
    assert passed["winograd_forward_stats"] > 1, "the counter counts"
    for kernel, regions in passed.items():
        assert regions <= MOST.get(kernel.partition("_")[0], 1), f"{kernel}: {regions}"
