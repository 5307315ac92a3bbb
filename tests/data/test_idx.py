"""idx files: round trip, and every way in which one can be wrong."""

import gzip
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastnn.data import load_fashion_mnist, load_idx, read_idx
from fastnn.data.idx import DEBIAN_FOLDER, holds_idx

TYPES = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}


def idx_bytes(array):
    code = TYPES[array.dtype.str[1:]]
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(array.dtype.newbyteorder(">")).tobytes()


def write_folder(folder, counts=(20, 10), suffix=""):
    generator = np.random.default_rng(0)
    for prefix, count in zip(("train", "t10k"), counts, strict=True):
        images = generator.integers(0, 256, (count, 5, 4), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        for name, array in (("images-idx3", images), ("labels-idx1", labels)):
            content = idx_bytes(array)
            path = folder / f"{prefix}-{name}-ubyte{suffix}"
            path.write_bytes(gzip.compress(content) if suffix else content)
    return folder


@pytest.mark.parametrize("suffix", ["", ".gz"])
@pytest.mark.parametrize("dtype", TYPES)
def test_round_trip(tmp_path, dtype, suffix):
    array = np.random.default_rng(1).normal(0, 50, (3, 4, 5)).astype(dtype)
    content = idx_bytes(array)
    path = tmp_path / f"file{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    result = read_idx(path)
    assert result.dtype == array.dtype and np.array_equal(result, array)


GOOD = idx_bytes(np.arange(12, dtype=np.uint8).reshape(3, 4))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "starts with nothing, expected an idx header"),
        (b"\0\0\x08", "expected an idx header"),
        (b"\1\0" + GOOD[2:], "starts with 01 00"),
        (b"\0\0\x0a" + GOOD[3:], "expected an idx header"),
        (b"\0\0\x08\0" + GOOD[4:], "expected an idx header"),
        (GOOD[:10], "truncated in the header, expected 2 sizes"),
        (GOOD[:-1], "expected 12 bytes of values .*found 11"),
        (GOOD + b"x", "found more"),
        (b"\0\0\x0e\x03" + b"\xff" * 12, "truncated, expected"),
        (b"\0\0\x08\xff" + b"\xff" * 1020, "truncated, expected"),
        (b"\0\0\x08\3" + b"\0\0\0\0" + b"\xff" * 8, r"of shape \(0, 4294967295, .* one value"),
        (b"\0\0\x08\x28" + b"\0\0\0\1" * 40 + b"x", "of rank 40, expected 1 to 32"),
    ],
)
@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_malformed_files_are_named(tmp_path, content, message, suffix):
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(gzip.compress(content) if suffix else content)
    with pytest.raises(ValueError, match=message) as caught:
        read_idx(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("damage", ["truncate", "checksum", "not gzip"])
def test_damaged_gzip_files_are_named(tmp_path, damage):
    content = gzip.compress(GOOD)
    path = tmp_path / "broken.gz"
    path.write_bytes(
        {
            "truncate": content[:-9],
            "checksum": content[:-8] + b"1234" + content[-4:],
            "not gzip": GOOD,
        }[damage]
    )
    with pytest.raises(ValueError, match=r"broken\.gz: "):
        read_idx(path)


@given(st.binary(max_size=60))
def test_any_bytes_give_an_array_or_a_value_error(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("idx") / "file"
    path.write_bytes(b"\0\0\x08" + content)
    try:
        result = read_idx(path)
    except ValueError:
        return
    assert result.nbytes + 4 + 4 * result.ndim == len(content) + 3


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_a_folder_of_idx_files(tmp_path, suffix):
    data = load_idx(write_folder(tmp_path, suffix=suffix))
    assert data.train[0].shape == (20, 1, 5, 4) and data.test[0].shape == (10, 1, 5, 4)
    assert data.classes == tuple("0123456789")


def test_images_and_labels_must_fit(tmp_path):
    write_folder(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros(19, np.uint8)))
    with pytest.raises(ValueError, match=r"\(train\): x .* number of examples"):
        load_idx(tmp_path)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx_bytes(np.zeros((20, 1), np.uint8)))
    with pytest.raises(ValueError, match=r"expected \(n, height, width\) and \(n,\)"):
        load_idx(tmp_path)


def test_fashion_mnist_is_looked_for_in_the_folder_named(tmp_path, monkeypatch):
    monkeypatch.setattr("fastnn.data.idx.DEBIAN_FOLDER", tmp_path / "nowhere")
    monkeypatch.setenv("FASTNN_DATA", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="dataset-fashion-mnist"):
        load_fashion_mnist()
    write_folder(tmp_path)
    assert load_fashion_mnist().source == str(tmp_path)
    assert load_fashion_mnist(tmp_path).classes[9] == "Ankle boot"
    with pytest.raises(FileNotFoundError, match="expected train-images"):
        load_fashion_mnist(tmp_path / "nowhere")


@pytest.mark.skipif(not holds_idx(DEBIAN_FOLDER), reason="needs the package dataset-fashion-mnist")
def test_the_full_set(monkeypatch):
    monkeypatch.delenv("FASTNN_DATA", raising=False)
    data = load_fashion_mnist()
    assert data.train[0].shape == (60000, 1, 28, 28) and data.train[0].dtype == np.uint8
    assert (np.bincount(data.test[1]) == 1000).all()
