"""This checkout of fastnn and another one, each in processes of its own."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parents[2]


def checkout(text: str) -> Path:
    """A checkout that a command line names."""
    folder = Path(text).resolve()
    if not (folder / "src/fastnn").is_dir():
        raise argparse.ArgumentTypeError(f"name the folder of another checkout, got {text}")
    return folder


def start(folder: Path, module: str, *arguments: object,
          **variables: str) -> subprocess.Popen[str]:
    """Run a module of this checkout's `bench` with the fastnn of a checkout, over pipes."""
    paths = os.pathsep.join([str(folder / "src"), str(HERE)])
    return subprocess.Popen(
        [sys.executable, "-P", "-m", module, *map(str, arguments)], text=True,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths, **variables})
