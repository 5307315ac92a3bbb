"""Which tests run a line, and how long they take: measured once, in a copy of the tree."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from coverage import CoverageData

from tools.mutate.mutants import Mutant

CONFIG = """[run]
source_pkgs = fastnn
data_file = {folder}/coverage
parallel = true
patch = subprocess
context = ${{MUTATE_TEST-}}
disable_warnings = no-data-collected, dynamic-conflict
"""
NEAR = 3.0  # a test in the folder of the same name comes before others that are so much faster


class Copy:
    """A copy of the tree, in which files may be changed and tests run."""

    def __init__(self, root: Path, folder: Path) -> None:
        self.folder, self.tree, self.scratch = folder, folder / "tree", folder / "tmp"
        listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard"], cwd=root,
                                check=True, capture_output=True, text=True).stdout.split("\n")
        files = [name for name in listed if name and (root / name).is_file()]
        built = [str(path.relative_to(root)) for path in root.glob("src/**/*.so")]
        shutil.rmtree(self.tree, ignore_errors=True)
        digest = hashlib.sha256()
        for name in sorted([*files, *built]):
            (self.tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, self.tree / name)
            if name.startswith(("src/", "tests/")):
                digest.update(name.encode() + (root / name).read_bytes())
        self.digest = digest.hexdigest()

    def python(
        self, *arguments: str, timeout: float | None = None, **variables: str
    ) -> tuple[int | None, str]:
        """(exit code, output) of Python in the copy; None after the timeout."""
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)
        environment = {**os.environ, "PYTHONPATH": f"{self.tree / 'src'}", "MPLBACKEND": "Agg",
                       "TMPDIR": str(self.scratch), **variables}
        process = subprocess.Popen([sys.executable, *arguments], cwd=self.tree, env=environment,
                                   stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                   stdin=subprocess.DEVNULL, start_new_session=True)
        try:
            output, _ = process.communicate(timeout=timeout)
            return process.returncode, output
        except subprocess.TimeoutExpired:
            return None, ""
        finally:
            _end_group(process)


def _end_group(process: subprocess.Popen[str]) -> None:
    """Also what a test has started and left behind."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, 9)
    process.wait()


class Tests:
    """The tests of each line."""

    def __init__(self, copy: Copy, which: Sequence[str]) -> None:
        self._copy = copy
        key = f"{copy.digest} {' '.join(which)}"
        kept = copy.folder / "tests.json"
        known = json.loads(kept.read_text()) if kept.exists() else {}
        if known.get("key") != key:
            known = {"key": key, **self._measure(which)}
            kept.write_text(json.dumps(known))
        self._seconds: dict[str, float] = known["seconds"]
        self._lines: dict[str, dict[str, list[str]]] = known["lines"]

    def _measure(self, which: Sequence[str]) -> dict[str, object]:
        folder = self._copy.folder.resolve()
        for old in folder.glob("coverage*"):
            old.unlink()
        config, seconds = folder / "coverage.ini", folder / "seconds.json"
        config.write_text(CONFIG.format(folder=folder))
        _, output = self._copy.python(
            "-m", "coverage", "run", f"--rcfile={config}", "-m", "pytest", "-q", "-p",
            "tools.mutate.contexts", "-m", "not parity", *which, MUTATE_SECONDS=str(seconds))
        print(output.strip().splitlines()[-1], flush=True)
        data = CoverageData(str(folder / "coverage"))
        for part in folder.glob("coverage.*"):
            if part.suffix != ".ini":
                other = CoverageData(str(part))
                other.read()
                data.update(other)
        lines = {str(Path(file).relative_to(self._copy.tree.resolve())): {
            str(line): [test for test in tests if test]
            for line, tests in data.contexts_by_lineno(file).items()}
            for file in data.measured_files()}
        return {"seconds": json.loads(seconds.read_text()), "lines": lines}

    def of(self, mutant: Mutant, most: float) -> list[str]:
        """Those that meet a mutant, the best first, until they take so many seconds together."""
        found = set(self._at(str(mutant.path), mutant.lines))
        if mutant.name is not None:
            for file, lines in self._naming(mutant.name):
                found.update(self._at(file, lines))
        folder = f"tests/{mutant.path.parent.name}/"

        def cost(test: str) -> float:
            return self._seconds[test] / (NEAR if test.startswith(folder) else 1)

        chosen: list[str] = []
        total = 0.0
        for test in sorted(found & self._seconds.keys(), key=cost):
            total += self._seconds[test]
            if total > most and chosen:
                break
            chosen.append(test)
        return chosen

    def seconds(self, tests: Iterable[str]) -> float:
        return sum(self._seconds[test] for test in tests)

    def _at(self, file: str, lines: Iterable[int]) -> list[str]:
        known = self._lines.get(file, {})
        return [test for line in lines for test in known.get(str(line), ())]

    def _naming(self, name: str) -> Iterable[tuple[str, list[int]]]:
        word = re.compile(rf"\b{re.escape(name)}\b")
        for file in self._lines:
            text = (self._copy.tree / file).read_text().splitlines()
            yield file, [i for i, line in enumerate(text, 1) if word.search(line)]
