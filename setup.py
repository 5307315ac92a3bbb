"""Build the Cython modules, and the C micro-kernels once per instruction set.

All metadata is in pyproject.toml. What is here: one extension for each .pyx file, and for the
module `dispatch` the objects of `simd/isa_*.c`, each compiled with the flags of its level.
"""

import os
import platform
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy
from Cython.Build import cythonize
from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.errors import CompileError, LinkError

SOURCES = Path("src")
KERNELS = SOURCES / "fastnn/_kernels"
X86 = {"baseline": [], "avx2": ["-mavx2", "-mfma"], "avx512": ["-mavx512f", "-mavx512vl",
       "-mavx512bw", "-mavx512dq", "-mfma", "-mprefer-vector-width=512"]}
ARM = {"neon": []}
LEVELS = X86 if platform.machine().lower() in ("x86_64", "amd64") else ARM
FLAGS = ["-O3", "-g0", "-std=gnu11", "-fopenmp", "-fno-math-errno", "-fno-trapping-math",
         "-fvisibility=hidden", "-Wno-psabi", "-Wno-unused-function"]
# In our modules a parallel region of one thread is a plain call (simd/team.c), and no region asks
# for Python's lock (simd/gil.c).
WRAPPED = {"team": "GOMP_parallel", "gil": "PyGILState_Check"} \
    if sys.platform.startswith("linux") else {}
LINK = ["-fopenmp", "-lm", *(f"-Wl,--wrap={function}" for function in WRAPPED.values())]
if sanitizers := os.environ.get("FASTNN_SANITIZE", ""):  # "address,undefined": see .ci/sanitize
    FLAGS += [f"-fsanitize={sanitizers}", "-fno-sanitize-recover=all", "-fno-omit-frame-pointer",
              "-fno-wrapv", "-g1", "-O1"]  # Python's own -fwrapv would hide signed overflow
    LINK += [f"-fsanitize={sanitizers}"]
HELP = """
fastnn needs a C compiler with OpenMP: GCC 9 or newer, or Clang 12 or newer with libomp.
  Debian, Ubuntu:  apt-get install gcc libc6-dev python3-dev   (Clang: also libomp-dev)
  Fedora, RHEL:    dnf install gcc python3-devel
  macOS:           brew install gcc, then CC=gcc-14 pip install .
"""


class BuildKernels(build_ext):
    """build_ext that compiles each instruction-set level with its own flags."""

    def build_extensions(self) -> None:
        self._check_openmp()
        self.parallel = self.parallel or os.cpu_count()
        wrappers = [path for name in WRAPPED for path in self._compile(name, [])]
        for extension in self.extensions:
            extension.extra_objects = list(wrappers)
            if extension.name.endswith(".dispatch"):
                extension.extra_objects += self._level_objects()
        super().build_extensions()

    def _compile(self, name: str, flags: list[str]) -> list[str]:
        return self.compiler.compile(
            [str(KERNELS / f"simd/{name}.c")],
            output_dir=self.build_temp,
            depends=[str(path) for path in (KERNELS / "simd").glob("*.h")],
            extra_postargs=FLAGS + ["-fPIC"] + flags,
        )

    def _level_objects(self) -> list[str]:
        def compile_level(level: str) -> list[str]:
            return self._compile(f"isa_{level}", LEVELS[level])

        with ThreadPoolExecutor(self.parallel) as pool:
            return [path for paths in pool.map(compile_level, LEVELS) for path in paths]

    def _check_openmp(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "probe.c")
            source.write_text("#include <omp.h>\nint main(void)"
                              "{return omp_get_max_threads() < 1;}\n")
            try:
                objects = self.compiler.compile(
                    [str(source)], output_dir=folder, extra_postargs=["-fopenmp"])
                self.compiler.link_executable(
                    objects, "probe", output_dir=folder, extra_postargs=["-fopenmp"])
            except (CompileError, LinkError, OSError) as error:
                sys.exit(f"{HELP}\nThe compiler said: {error}")


def extensions() -> list[Extension]:
    headers = [str(path) for path in (KERNELS / "simd").glob("*.h")]
    headers += [str(KERNELS / f"simd/{name}.c") for name in WRAPPED]
    return [
        Extension(
            ".".join(path.relative_to(SOURCES).with_suffix("").parts),
            [str(path)],
            include_dirs=[str(KERNELS), numpy.get_include()],
            depends=headers,
            define_macros=[("NPY_NO_DEPRECATED_API", "NPY_1_26_API_VERSION")],
            extra_compile_args=FLAGS,
            extra_link_args=LINK,
        )
        for path in sorted(SOURCES.rglob("*.pyx"))
    ]


if __name__ == "__main__":  # tests/test_setup.py imports this file
    setup(
        ext_modules=cythonize(
            extensions(),
            include_path=[str(SOURCES)],
            compiler_directives={
                "language_level": 3, "boundscheck": False, "wraparound": False,
                "cdivision": True, "initializedcheck": False,
            },
        ),
        cmdclass={"build_ext": BuildKernels},
    )
