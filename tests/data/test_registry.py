"""Names and paths lead to the right source."""

import struct

import numpy as np
import pytest
from PIL import Image

from fastnn.data import DATASETS, load
from fastnn.data.arrays import is_mapped


def write_idx_folder(folder):
    folder.mkdir()
    for prefix in ("train", "t10k"):
        header = b"\0\0\x08\x03" + struct.pack(">3I", 10, 5, 4)
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(header + bytes(200))
        header = b"\0\0\x08\x01" + struct.pack(">I", 10)
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(header + bytes(range(10)))
    return folder


def test_each_kind_of_path(tmp_path):
    np.savez(tmp_path / "d.npz", x=np.zeros((4, 2)), y=np.arange(4))
    assert load(tmp_path / "d.npz").classes == tuple("0123")
    mapped = tmp_path / "mapped"
    mapped.mkdir()
    np.save(mapped / "x_train.npy", np.zeros((4, 2)))
    np.save(mapped / "y_train.npy", np.arange(4))
    assert is_mapped(load(str(mapped)).train[0])
    assert load(write_idx_folder(tmp_path / "idx")).example_shape == (1, 5, 4)
    (tmp_path / "images" / "ant").mkdir(parents=True)
    Image.new("RGB", (5, 6)).save(tmp_path / "images" / "ant" / "1.png")
    assert load(tmp_path / "images", mode="L").example_shape == (1, 6, 5)


def test_a_folder_goes_with_the_name(tmp_path):
    assert (
        load("fashion-mnist", folder=write_idx_folder(tmp_path / "f")).classes[0] == "T-shirt/top"
    )


def test_unknown_names(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="did you mean fashion-mnist") as caught:
        load("fashion-mnits")
    assert all(name in str(caught.value) for name in DATASETS)
    with pytest.raises(ValueError, match="unknown data 'zzz': Expected fashion-mnist-small"):
        load("zzz")


def test_paths_that_hold_nothing_known(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz: no such file"):
        load(tmp_path / "none.npz")
    (tmp_path / "d.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"d\.csv: expected an \.npz file, or a folder"):
        load(tmp_path / "d.csv")
    with pytest.raises(ValueError, match="expected a folder with x_train"):
        load(tmp_path)
    with pytest.raises(TypeError, match="layuot"):
        load("fashion-mnist-small", layuot="NHWC")
