"""The build without a compiler, or with one that lacks OpenMP, says what to install."""

import importlib.util
from pathlib import Path

import pytest
from setuptools import Distribution
from setuptools.command.build_ext import new_compiler

SETUP = Path(__file__).parents[1] / "setup.py"
WORKS = 'for word; do [ "$last" = -o ] && : > "$word"; last=$word; done\n'
COMPILERS = {
    "no OpenMP": "echo \"error: unsupported option '-fopenmp'\" >&2; exit 1\n",
    "no library of OpenMP": f'case " $* " in *" -c "*) {WORKS};; *) exit 1;; esac\n',
}


@pytest.fixture
def build():
    """setup.py's command; it must not run on import."""
    spec = importlib.util.spec_from_file_location("fastnn_setup", SETUP)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    command = module.BuildKernels(Distribution())
    command.compiler = new_compiler()
    return command


def _use(command, path):
    command.compiler.set_executables(
        compiler=str(path), compiler_so=str(path), linker_exe=str(path))


def _script(folder, text):
    path = folder / "cc"
    path.write_text(f"#!/bin/sh\n{text}")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("kind", [*COMPILERS, "no compiler"])
def test_the_message_says_what_to_install(build, tmp_path, kind):
    _use(build, _script(tmp_path, COMPILERS[kind]) if kind in COMPILERS else tmp_path / "none")
    with pytest.raises(SystemExit) as caught:
        build._check_openmp()
    message = str(caught.value)
    for words in ("needs a C compiler with OpenMP", "apt-get install gcc", "dnf install gcc",
                  "brew install gcc", "The compiler said:"):
        assert words in message


def test_a_compiler_that_works(build, tmp_path):
    _use(build, _script(tmp_path, WORKS))
    build._check_openmp()
