"""Outlines say what loading returns and takes, without reading it."""

import gzip
import struct
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from fastnn.data import Dataset, load
from fastnn.data.arrays import PIECE_VALUES
from fastnn.data.outline import CHECKING, Outline, stand_in
from fastnn.data.registry import outline

X = np.random.default_rng(0).integers(0, 256, (12, 3, 40, 30), dtype=np.uint8)
Y = np.arange(12) % 3


def npz(folder):
    np.savez_compressed(folder / "data.npz", x_train=X, y_train=Y, x_test=X[:3] / 2, y_test=Y[:3])
    return folder / "data.npz"


def npy(folder):
    for name, array in (("x_train", X), ("y_train", Y), ("x_test", X[:3]), ("y_test", Y[:3])):
        np.save(folder / f"{name}.npy", array)
    return folder


def idx(folder):
    for prefix, count in (("train", 12), ("t10k", 3)):
        images = struct.pack(">HBBIII", 0, 8, 3, count, 40, 30) + X[:count, 0].tobytes()
        labels = struct.pack(">HBBI", 0, 8, 1, count) + Y[:count].astype(np.uint8).tobytes()
        (folder / f"{prefix}-images-idx3-ubyte.gz").write_bytes(gzip.compress(images))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(labels)
    return folder


def pictures(folder):
    for i, (pixels, label) in enumerate(zip(X, Y, strict=True)):
        (folder / f"class {label}").mkdir(exist_ok=True)
        exif = Image.Exif()
        exif[0x0112] = 6 if i == 0 else 1  # the first is turned, and says so
        Image.fromarray(pixels.transpose(1, 2, 0)).save(
            folder / f"class {label}" / f"{i:02}.png", exif=exif)
    return folder


def train_and_test(folder):
    for part in ("train", "test"):
        (folder / part).mkdir()
        pictures(folder / part)
    return folder


def grey(folder):
    (folder / "a").mkdir()
    for i in range(5):
        Image.fromarray(X[i, 0]).save(folder / "a" / f"{i}.png")
    return folder


@pytest.mark.parametrize("write", [npz, npy, idx, pictures, train_and_test, grey])
def test_an_outline_is_of_what_is_loaded(tmp_path, write):
    place = write(tmp_path)
    data, found = load(place), outline(place)
    assert repr(found.data) == repr(data) and found.data.classes == data.classes
    for split, outlined in ((data.train, found.data.train), (data.test, found.data.test)):
        if split is None:
            assert outlined is None
            continue
        assert outlined[0].shape == split[0].shape and outlined[0].dtype == split[0].dtype
        assert np.array_equal(outlined[1], split[1])
    held = sum(split[0].nbytes for split in (data.train, data.test) if split)
    assert found.bytes == (0 if write is npy else held)
    assert found.peak_bytes >= found.bytes + CHECKING * data.train[0].size


def test_an_idx_file_of_floats_is_turned_where_it_lies(tmp_path):
    idx(tmp_path)
    values = np.arange(24, dtype=">f4").reshape(12, 2, 1)
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(
        struct.pack(">HBBIII", 0, 13, 3, 12, 2, 1) + values.tobytes()))
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(gzip.compress(
        struct.pack(">HBBIII", 0, 13, 3, 3, 2, 1) + values[:3].tobytes()))
    data = load(tmp_path)
    assert np.array_equal(data.train[0], values[:, np.newaxis]) and data.train[0].dtype.isnative
    assert repr(outline(tmp_path).data) == repr(data)


def test_the_shipped_data():
    assert repr(outline("fashion-mnist-small").data) == repr(load("fashion-mnist-small"))


def test_examples_are_not_read(tmp_path):
    x = np.zeros((50, 1000, 1000), np.uint8)
    np.savez_compressed(tmp_path / "data.npz", x=x, y=np.arange(50) % 2)
    del x
    tracemalloc.start()
    found = outline(tmp_path / "data.npz")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.bytes == 50_000_000 and peak < 5_000_000


def test_decoding_is_of_the_largest_picture(tmp_path):
    (tmp_path / "a").mkdir()
    for side in (10, 500, 20):
        Image.new("RGB", (side, side)).save(tmp_path / "a" / f"{side}.png")
    found = outline(tmp_path)
    assert found.bytes == 3 * 20 * 20 * 3  # the first to train on
    assert 500 * 500 * 20 <= found.decoding < 500 * 500 * 25


def test_a_picture_without_a_header_is_left_out(tmp_path):
    pictures(tmp_path)
    (tmp_path / "class 1" / "01.png").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match=r"01\.png: cannot be read"):
        data = load(tmp_path)
    assert outline(tmp_path).data.train[0].shape == data.train[0].shape
    for path in tmp_path.rglob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"none of 9 images can be read"):
        outline(tmp_path)


def test_what_is_wrong_is_an_error_here_too(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.npz"):
        outline(tmp_path / "nowhere.npz")
    np.savez(tmp_path / "d.npz", x=X, y=Y[:5])
    with pytest.raises(ValueError, match="number of examples"):
        outline(tmp_path / "d.npz")


def test_what_loading_takes():
    data = Dataset((stand_in((10, 4), np.float64), Y[:10]), None, (), "")
    assert Outline(data).bytes == 320
    assert Outline(data).peak_bytes == 320 + 40 * CHECKING
    assert Outline(data, 10**9).peak_bytes == 320 + 10**9
    large = Dataset((stand_in((10, 2**20), np.uint8), Y[:10]), None, (), "")
    assert Outline(large).peak_bytes == large.train[0].nbytes + PIECE_VALUES * CHECKING
