"""Build the Cython modules, and the C micro-kernels once per instruction set.

All metadata is in pyproject.toml. What is here: one extension for each .pyx file. Where a C file of
its name lies in the folder `simd` beside it, that file is compiled once for each level, with the
level's flags, and linked into the extension. Neither is listed anywhere: a new file is enough.
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
# In our modules a parallel region of one thread is a plain call (wrapped/team.c), and none asks
# for Python's lock (wrapped/gil.c).
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
        wrappers = [self._compile(KERNELS / f"wrapped/{name}.c", []) for name in WRAPPED]
        bodies = {extension.name: micro_kernels(extension.sources[0])
                  for extension in self.extensions}
        with ThreadPoolExecutor(self.parallel) as pool:
            objects = {(body, level): pool.submit(self._compile, body, LEVELS[level], level)
                       for body in filter(None, bodies.values()) for level in LEVELS}
        for extension in self.extensions:
            body = bodies[extension.name]
            extension.extra_objects = wrappers + [
                objects[body, level].result() for level in LEVELS if body]
        super().build_extensions()

    def _compile(self, source: Path, flags: list[str], level: str = "") -> str:
        defined = [("LEVEL", level), (f"LEVEL_{level.upper()}", "1")] if level else []
        [path] = self.compiler.compile(
            [str(source)],
            output_dir=os.path.join(self.build_temp, level),
            macros=defined,
            include_dirs=[str(KERNELS)],
            extra_postargs=FLAGS + ["-fPIC"] + flags,
        )
        return str(path)

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


def micro_kernels(module: str) -> Path | None:
    """The C file that is compiled for each level and linked into a module, if it has one."""
    path = Path(module)
    body = path.parent / "simd" / f"{path.stem}.c"
    return body if body.exists() else None


def extensions() -> list[Extension]:
    headers = [str(path) for pattern in ("**/simd/*.[ch]", "wrapped/*.c")
               for path in KERNELS.glob(pattern)]
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
