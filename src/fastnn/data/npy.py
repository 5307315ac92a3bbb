"""Load data from a folder of .npy files, memory-mapped: they may be larger than memory."""

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.data.arrays import Array
from fastnn.data.dataset import Dataset, make_dataset
from fastnn.files.read import open_regular, reason


def load_npy(folder: str | os.PathLike[str], layout: str = "NCHW") -> Dataset:
    """Map a folder with x_train.npy and y_train.npy, and where they exist x_test and y_test.

    Only the targets are read here; `Batches` reads the examples, batch by batch.

    Args:
        folder: holds the files: x_train.npy (n, features), (n, height, width) or images in
            `layout`, y_train.npy (n,), and maybe classes.npy, the classes' names.
        layout: "NCHW" or "NHWC", how images of rank 4 are stored.

    Returns:
        A `Dataset` whose arrays are read-only `numpy.memmap`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: a file is malformed or truncated or holds Python objects (they are never
            unpickled), or the arrays cannot be trained on.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.save(Path(folder, "x_train.npy"), np.zeros((4, 1, 8, 8), np.uint8))
        ...     np.save(Path(folder, "y_train.npy"), np.array([0, 1, 1, 0]))
        ...     data = load_npy(folder)
        >>> type(data.train[0]).__name__, data.train[0].shape, data.classes
        ('memmap', (4, 1, 8, 8), ('0', '1'))
    """
    folder = Path(folder)
    train = (map_array(folder / "x_train.npy"), map_array(folder / "y_train.npy"))
    test = None
    if (folder / "x_test.npy").exists() or (folder / "y_test.npy").exists():
        test = (map_array(folder / "x_test.npy"), map_array(folder / "y_test.npy"))
    names = folder / "classes.npy"
    classes = class_names(map_array(names), names) if names.exists() else None
    return make_dataset(train, test, str(folder), classes, layout)


def class_names(names: Array, path: Path) -> tuple[str, ...]:
    """Return an array of strings (classes,) as a tuple, or raise ValueError naming the file."""
    if names.ndim != 1 or names.dtype.kind != "U" or not names.nbytes:
        raise ValueError(
            f"{path}: classes is {names.dtype} of shape {names.shape}, expected strings (classes,)"
        )
    number = np.dtype(np.uint32).newbyteorder(names.dtype.byteorder)
    if np.ascontiguousarray(names).view(number).max() > sys.maxunicode:
        raise ValueError(f"{path}: classes holds what is no text")
    return tuple(str(name) for name in np.asarray(names))


def read_header(stream: Any) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Read an .npy file's header: (shape, whether in Fortran order, dtype).

    Raises:
        ValueError: it is none, or of Python objects, which are never unpickled.
    """
    version = np.lib.format.read_magic(stream)
    readers = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    if version not in readers:  # 3.0 is for names of fields, which no plain array has
        raise ValueError(f"version {version} of the format, expected 1.0 or 2.0")
    shape, fortran, dtype = readers[version](stream)
    if dtype.hasobject:
        raise ValueError("it holds Python objects")
    return shape, fortran, dtype


def map_array(path: Path) -> Array:
    """Map the array of an .npy file, read-only. Raises ValueError, OSError that name the file."""
    if not os.path.lexists(path):
        raise FileNotFoundError(f"{path}: no such file, expected an array saved by numpy.save")
    with open_regular(path) as stream:
        try:
            # Not np.load, which reads any zip file as an .npz, whatever its name.
            shape, fortran, dtype = read_header(stream)
            order: Any = "F" if fortran else "C"
            array: Array = np.memmap(stream, dtype, "r", stream.tell(), shape, order)
        # A damaged or hostile header may raise many types of errors.
        except Exception as error:
            raise ValueError(
                f"{path}: cannot be mapped, expected an array saved by numpy.save ({reason(error)})"
            ) from error
    return array
