"""FIFOs, devices and folders in place of data: refused at once, never waited for."""

import os
import warnings
from pathlib import Path

import numpy as np
import pytest

from fastnn.data import load, load_image_folder, load_npz, read_idx


def npz(folder: Path) -> None:
    os.mkfifo(folder / "x.npz")
    load(folder / "x.npz")


def npz_by_its_own_loader(folder: Path) -> None:
    os.mkfifo(folder / "x.npz")
    load_npz(folder / "x.npz")


def npy(folder: Path) -> None:
    os.mkfifo(folder / "x_train.npy")
    load(folder)


def classes(folder: Path) -> None:
    np.save(folder / "x_train.npy", np.zeros((4, 3)))
    np.save(folder / "y_train.npy", np.arange(4))
    os.mkfifo(folder / "classes.npy")
    load(folder)


def idx(folder: Path) -> None:
    os.mkfifo(folder / "train-images-idx3-ubyte")
    load(folder)


def zipped_idx(folder: Path) -> None:
    os.mkfifo(folder / "train-images-idx3-ubyte.gz")
    read_idx(folder / "train-images-idx3-ubyte.gz")


def pictures(folder: Path) -> None:
    (folder / "a").mkdir()
    os.mkfifo(folder / "a" / "1.png")
    with warnings.catch_warnings(action="ignore"):
        load(folder)


def pictures_strictly(folder: Path) -> None:
    (folder / "a").mkdir()
    os.mkfifo(folder / "a" / "1.png")
    load_image_folder(folder, strict=True)


@pytest.mark.parametrize("act", [npz, npz_by_its_own_loader, npy, classes, idx, zipped_idx,
                                 pictures, pictures_strictly])
def test_a_fifo(tmp_path: Path, act) -> None:
    with pytest.raises((OSError, ValueError), match="a FIFO, not a regular file") as caught:
        act(tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_a_device() -> None:
    for path in ("/dev/zero", "/dev/null"):
        with pytest.raises(OSError, match="a device, not a regular file"):
            load(path)
        with pytest.raises(OSError, match="a device, not a regular file"):
            read_idx(path)
