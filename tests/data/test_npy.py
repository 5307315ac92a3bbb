"""Folders of mapped .npy files stay on disk."""

import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data import Batches, load_npy
from fastnn.data.arrays import is_mapped


def write(folder, x, y, split="train"):
    np.save(folder / f"x_{split}.npy", x)
    np.save(folder / f"y_{split}.npy", y)


def test_arrays_stay_mapped_through_layout_and_batches_match(tmp_path):
    x = np.random.default_rng(0).integers(0, 256, (50, 9, 8, 3), dtype=np.uint8)
    y = np.arange(50) % 5
    write(tmp_path, x, y)
    write(tmp_path, x[:7], y[:7], "test")
    np.save(tmp_path / "classes.npy", np.array(list("abcde")))
    data = load_npy(tmp_path, layout="NHWC")
    assert is_mapped(data.train[0]) and is_mapped(data.test[0]) and data.classes == tuple("abcde")
    assert not data.train[0].flags.writeable
    in_memory = Batches(x.transpose(0, 3, 1, 2), y, 16, seed=3)
    for mapped, plain in zip(
        Batches(*data.train, 16, seed=3).epoch(2), in_memory.epoch(2), strict=True
    ):
        assert np.array_equal(mapped[0], plain[0]) and np.array_equal(mapped[1], plain[1])
        assert type(mapped[0]) is np.ndarray


def test_grey_images_stay_mapped(tmp_path):
    write(tmp_path, np.zeros((6, 4, 4)), np.zeros(6, int))
    data = load_npy(tmp_path)
    assert is_mapped(data.train[0]) and data.example_shape == (1, 4, 4) and data.test is None


def test_nan_in_a_mapped_file_is_found_by_its_batch(tmp_path):
    x = np.zeros((10, 3), np.float32)
    x[7, 1] = np.nan
    write(tmp_path, x, np.zeros(10, int))
    batches = Batches(*load_npy(tmp_path).train, 4, shuffle=False).epoch(0)
    next(batches)
    with pytest.raises(ValueError, match=r"batch 1 of epoch 0: x holds NaN.*example 3"):
        next(batches)


@pytest.mark.parametrize("missing", ["x_train", "y_train", "x_test", "y_test"])
def test_missing_files_are_named(tmp_path, missing):
    for split in ("train", "test"):
        write(tmp_path, np.zeros((4, 2)), np.zeros(4, int), split)
    (tmp_path / f"{missing}.npy").unlink()
    with pytest.raises(FileNotFoundError, match=rf"{missing}\.npy"):
        load_npy(tmp_path)


@pytest.mark.parametrize("content", ["truncated", "pickle", "objects", "zip", "empty"])
def test_malformed_files_are_named(tmp_path, content):
    write(tmp_path, np.zeros((40, 20)), np.zeros(40, int))
    path = tmp_path / "x_train.npy"
    if content == "truncated":
        path.write_bytes(path.read_bytes()[:-1])
    elif content == "pickle":
        path.write_bytes(pickle.dumps([1, 2]))
    elif content == "objects":
        np.save(path, np.array([[None]] * 40), allow_pickle=True)
    elif content == "zip":
        with path.open("wb") as stream:
            np.savez(stream, x=np.zeros(3))
    else:
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"x_train\.npy: cannot be mapped, expected an array"):
        load_npy(tmp_path)


@given(st.integers(0, 127), st.integers(0, 255))
def test_a_damaged_header_gives_data_or_a_value_error(tmp_path_factory, position, byte):
    folder = tmp_path_factory.mktemp("npy")
    write(folder, np.ones((5, 4), np.float32), np.zeros(5, int))
    path = folder / "x_train.npy"
    content = bytearray(path.read_bytes())
    content[position] = byte
    path.write_bytes(content)
    try:
        load_npy(folder)
    except ValueError as error:
        assert str(folder) in str(error)
