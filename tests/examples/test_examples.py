"""Each script of examples/ in a process of its own: it ends well, in time, and has learned."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples"
# Of the last line: a pattern for its figures, and the least or the most of each. A net that has
# learned nothing, or only how often classes are, is far from them; see the scripts.
LEARNED = {
    "mnist": (r"accuracy ([\d.]+)", [(0.75, 1)]),
    "gan": (r"blobs (\d+)  .* ([\d.]+)$", [(6, 8), (0.6, 1)]),
    "siamese": (r"before ([\d.]+)  after ([\d.]+)", [(0, 0.72), (0.74, 1)]),
    "multitask": (r"accuracy ([\d.]+) .* ([\d.]+)$", [(0.75, 1), (0.9, 1)]),
    "vae": (r"explained ([\d.]+)$", [(0.65, 1)]),
    "unet": (r"disc ([\d.]+)  square ([\d.]+)", [(0.7, 1), (0.7, 1)]),
    "text_cnn": (r"accuracy ([\d.]+)", [(0.95, 1)]),
    "tabular": (r"explained ([\d.]+)$", [(0.9, 1)]),
    "timeseries": (r"error ([\d.]+) .* repeated ([\d.]+)", [(0, 0.03), (1, 2)]),
    "distillation": (r"alone ([\d.]+)  taught ([\d.]+)", [(0.5, 0.79), (0.79, 1)]),
    "gradient_penalty": (r"distance ([\d.]+)", [(2.1, 2.35)]),
}
CPU_SECONDS = 40  # 20 seconds on two processors, on a machine that may be busy with others


def test_every_script_is_here() -> None:
    assert LEARNED.keys() == {path.stem for path in FOLDER.glob("*.py")}


@pytest.mark.parametrize("name", LEARNED)
def test_it_learns(name: str) -> None:
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run([sys.executable, FOLDER / f"{name}.py"], capture_output=True, text=True,
                          timeout=300, check=False,
                          env={**os.environ, "OMP_NUM_THREADS": "2", "OMP_WAIT_POLICY": "passive"})
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 0, done.stderr
    assert after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime < CPU_SECONDS
    pattern, bounds = LEARNED[name]
    last = done.stdout.splitlines()[-1]
    found = re.search(pattern, last)
    assert found, last
    for figure, (least, most) in zip(found.groups(), bounds, strict=True):
        assert least <= float(figure) <= most, last


@pytest.mark.parametrize("name", LEARNED)
def test_it_is_short_and_says_how_to_run_it(name: str) -> None:
    text = (FOLDER / f"{name}.py").read_text()
    assert f"Run it: python examples/{name}.py" in " ".join(text.split())
    assert len(text.splitlines()) <= 100
