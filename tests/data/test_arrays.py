"""Reading arrays in pieces, and the memory that this takes."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data import Batches
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
from fastnn.data import load, Batches, Standardize
from fastnn.runtime.process_memory import peak_bytes

data = load(sys.argv[1])
before = peak_bytes()
Standardize().fit(data.train[0])
seen = sum(len(y) for x, y in Batches(*data.train, 64).epoch(0))
assert seen == len(data.train[0])
print((peak_bytes() - before) / 2**20)
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


@pytest.mark.parametrize("layout", ["C", "F"])
def test_a_map_whose_file_is_cut_short_is_an_error(tmp_path, layout):
    """Not the end of the process by SIGBUS, which reading it would be."""
    values = np.asarray(np.random.default_rng(0).random((5000, 40)), order=layout)
    np.save(tmp_path / "x.npy", values)
    x = np.load(tmp_path / "x.npy", mmap_mode="r")
    batches = Batches(x, np.arange(5000) % 3, 100, seed=1)
    drawn = batches.epoch(0)
    next(drawn)
    os.truncate(tmp_path / "x.npy", 100_000)
    for read in (lambda: next(drawn), lambda: list(pieces(x)),
                 lambda: gather(x[4990:].T, np.arange(3), np.empty((3, 10)))):
        with pytest.raises(ValueError, match=r"x\.npy: has 100000 bytes, 1600128 .* cut short"):
            read()
    os.truncate(tmp_path / "x.npy", 1_600_128)  # long enough again: zeros, which end nothing
    assert len(list(pieces(x))) == 1


def test_a_map_of_a_part_of_a_file(tmp_path):
    """Only what is mapped must be there."""
    (tmp_path / "raw").write_bytes(bytes(100_000))
    x = np.memmap(tmp_path / "raw", np.uint8, "r", offset=5000, shape=(80, 1000))
    os.truncate(tmp_path / "raw", 85_000)
    out = np.ones((80, 1000))
    gather(x, np.arange(80), out)
    assert not out.any()
    os.truncate(tmp_path / "raw", 84_999)
    with pytest.raises(ValueError, match="raw: has 84999 bytes, 85000 when it was mapped"):
        gather(x, np.arange(2), out[:2])
