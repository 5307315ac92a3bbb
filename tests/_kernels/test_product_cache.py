"""What matrix products of AVX-512 miss in the first cache, whatever processor this is.

The kernels run with 16 threads on micro-kernels that tell a simulated cache all that they read and
write (cache.c, wide_products.c). A tile reads its rows value by value, and each line of them is
used by 16 values in a row: it should miss once for each panel of columns, as other tiles come
between two panels.
"""

import ctypes
import mmap
import os
import platform
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastnn._kernels.call import call_kernel

from fastnn._kernels import registry
from fastnn._kernels.linear import table

HERE = Path(__file__).parent
SOURCES = HERE.parents[1] / "src/fastnn/_kernels"
FLAGS = ["-std=gnu11", "-fPIC", "-fno-math-errno", "-Wno-psabi"]
LEVEL = ["-DLEVEL=avx512", "-DLEVEL_AVX512=1", f"-I{SOURCES}"]

WAYS = {"48 KiB": 12, "32 KiB": 8}  # Sapphire Rapids; Zen 4 and Xeons before Ice Lake
THREADS = 16
PANEL = 32  # columns
VALUES = 16  # in a line
# A part of the rows or columns of large ones. Rows lie depth values apart.
PRODUCTS = [  # rows, depth, columns
    (512, 512, 512), (192, 1024, 1024), (96, 2048, 512), (48, 4096, 512), (1024, 256, 256),
    (384, 1536, 256), (384, 1040, 256),
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """The library, with the kernels set to its micro-kernels."""
    compiler = shutil.which(os.environ.get("CC", "cc")) or shutil.which("gcc")
    if not sys.platform.startswith("linux") or platform.machine() != "x86_64" or compiler is None:
        pytest.skip("compiles x86-64 code: needs a C compiler")
    folder = tmp_path_factory.mktemp("cache")
    products, library = folder / "products.o", folder / "cache.so"
    subprocess.run([compiler, *FLAGS, *LEVEL, "-Og", "-fsanitize=thread", "-c",
                    HERE / "wide_products.c", "-o", products], check=True)
    subprocess.run([compiler, *FLAGS, "-O2", "-shared", HERE / "cache.c", products, "-o", library],
                   check=True)
    cache = ctypes.CDLL(str(library))
    cache.cache_start.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t]
    cache.cache_value_misses.restype = cache.cache_watched_misses.restype = ctypes.c_long
    address = ctypes.pythonapi.PyCapsule_GetPointer
    address.restype, address.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    simd = ctypes.c_void_p.from_address(
        address(table.__pyx_capi__["simd"], b"linear_table const *"))
    before = simd.value
    simd.value = ctypes.addressof(ctypes.c_char.in_dll(cache, "wide_products"))
    yield cache
    simd.value = before


def on_pages(array: np.ndarray) -> np.ndarray:
    """A copy that begins with a page, so that lines fall into the same sets on each run."""
    copy = np.frombuffer(mmap.mmap(-1, array.nbytes), array.dtype).reshape(array.shape)
    copy[...] = array
    return copy


def operands(kernel: str, rows: int, depth: int,
             columns: int) -> tuple[list[np.ndarray], list[int], np.ndarray]:
    """The inputs of a product as its kernel takes them, its sizes, and the product."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((rows, depth), dtype=np.float32)
    b = rng.standard_normal((depth, columns), dtype=np.float32)
    arrays, d = {
        "linear_forward": ([a, b.T, np.zeros(1, np.float32)], [rows, depth, columns, 0, 0, rows]),
        "linear_grad_input": ([a, b], [rows, columns, depth]),
        "linear_grad_weight": ([a.T, b], [depth, columns, rows]),
    }[kernel]
    return [on_pages(array) for array in arrays], d, a @ b


def run(cache: Any, ways: int, kernel: str, product: tuple[int, int, int],
        threads: int = THREADS, watched: int = 0) -> None:
    """Count misses of a product, and those in the input of number `watched`."""
    inputs, d, expected = operands(kernel, *product)
    result = on_pages(np.full_like(expected, np.nan))
    told = registry.kernel(kernel)
    workspace = on_pages(np.full(told.extents(d, threads)[-1], 255, np.uint8))
    cache.cache_start(ways, inputs[watched].ctypes.data, inputs[watched].nbytes)
    call_kernel(told.address, [array.ctypes.data for array in [*inputs, result, workspace]], d, (),
                threads)
    # of each vector there is a quarter
    result, expected = (y.reshape(-1, VALUES)[:, :VALUES // 4] for y in (result, expected))
    np.testing.assert_allclose(result, expected, rtol=0, atol=1e-5 * product[1])


def misses_of_a_line(cache: Any, ways: int, kernel: str, product: tuple[int, int, int]) -> float:
    """How often a line of the rows misses for each panel of columns."""
    rows, depth, columns = product
    run(cache, ways, kernel, product)
    return cache.cache_value_misses() / (rows * depth / VALUES * columns / PANEL)


@pytest.mark.parametrize("product", PRODUCTS, ids=str)
@pytest.mark.parametrize("kernel", ["linear_forward", "linear_grad_input", "linear_grad_weight"])
@pytest.mark.parametrize("size", WAYS)
def test_rows_miss_once(cache, size, kernel, product):
    assert misses_of_a_line(cache, WAYS[size], kernel, product) < 1.1


@pytest.mark.parametrize("depth", [1021, 1022, 1023, 1025, 1026, 1027, 2049])
@pytest.mark.parametrize("size", WAYS)
def test_rows_almost_a_page_apart_miss_once(cache, size, depth):
    assert misses_of_a_line(cache, WAYS[size], "linear_grad_input", (192, depth, 128)) < 1.1


@pytest.mark.parametrize("size, least", [("48 KiB", 1.6), ("32 KiB", 15)])
@pytest.mark.parametrize("kernel", ["linear_forward", "linear_grad_input"])
def test_rows_a_page_apart_would_push_each_other_out(cache, kernel, size, least):
    """Twelve of them fall into one set: the panel takes one of 12 ways, or there are but 8."""
    in_place = ctypes.c_int.in_dll(cache, "rows_in_place")
    in_place.value = 1
    try:
        assert misses_of_a_line(cache, WAYS[size], kernel, (384, 1024, 512)) > least
    finally:
        in_place.value = 0


@pytest.mark.parametrize("threads, operand", [(1, 0), (16, 1)])
@pytest.mark.parametrize("size", WAYS)
def test_a_weight_gradient_reads_its_operands_once(cache, size, threads, operand):
    """To pack them. Each of 16 threads packs all of x, for a few rows of its own."""
    side = 512
    run(cache, WAYS[size], "linear_grad_weight", (side, side, side), threads, operand)
    assert cache.cache_watched_misses() / (threads * side * side / VALUES) < 1.1
