"""Reading arrays in pieces, and the memory that this takes."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data.arrays import as_float, gather, pieces, release


@pytest.mark.parametrize("dtype", [">f4", "<i2", "bool", "f2", ">u4", "longdouble"])
def test_as_float_keeps_values_of_other_types(dtype):
    x = np.array([0, 1, 3], dtype)
    result = as_float(x)
    assert result.dtype == np.float32 and result.dtype.isnative
    assert np.array_equal(result, x.astype(float))


def test_as_float_scales_uint8_as_exact_division_does():
    x = np.arange(256, dtype=np.uint8)
    assert np.array_equal(as_float(x), (x.astype(np.float64) / 255).astype(np.float32))


def test_as_float_keeps_doubles():
    assert as_float(np.array([1e300], ">f8")).dtype == np.float64


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 200))
def test_pieces_join_to_the_whole(rows, columns, values):
    x = np.arange(rows * columns).reshape(rows, columns)
    parts = list(pieces(x, values))
    assert np.array_equal(np.concatenate(parts), x)
    assert all(len(part) == 1 or part.size <= values for part in parts)


@given(st.lists(st.integers(0, 29), min_size=1, max_size=50))
def test_gather_from_a_map_matches_plain_indexing(tmp_path_factory, indices):
    folder = tmp_path_factory.mktemp("gather")
    x = np.arange(30 * 4).reshape(30, 2, 2)
    np.save(folder / "x.npy", x)
    mapped = np.load(folder / "x.npy", mmap_mode="r")
    for source in (x, mapped):
        result = np.empty((len(indices), 2, 2), np.float32)
        gather(source, np.array(indices), result)
        assert np.array_equal(result, x[indices])


@pytest.mark.parametrize("mode", ["c", "r+"])
def test_release_keeps_changes(tmp_path, mode):
    np.save(tmp_path / "x.npy", np.zeros(10_000))
    mapped = np.load(tmp_path / "x.npy", mmap_mode=mode)
    mapped[:] = 7
    release(mapped)
    assert (mapped == 7).all()


MEASURE = """
import sys
import numpy as np
from fastnn.data import load, Batches, Standardize

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024

data = load(sys.argv[1])
before = peak()
Standardize().fit(data.train[0])
seen = sum(len(y) for x, y in Batches(*data.train, 64).epoch(0))
assert seen == len(data.train[0])
print(peak() - before)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's peak memory")
def test_an_epoch_of_a_mapped_file_does_not_become_resident(tmp_path):
    shape = (4000, 3, 128, 128)  # 187 MiB
    np.lib.format.open_memmap(tmp_path / "x_train.npy", "w+", np.uint8, shape).flush()
    np.save(tmp_path / "y_train.npy", np.arange(4000) % 10)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path)], capture_output=True, text=True, check=True
    )
    # Two batches of 12 MiB as float32, a few temporaries of 8 MiB, mapped pages; not the file.
    growth = float(done.stdout)
    assert growth < 100, f"peak memory grew by {growth} MiB"
