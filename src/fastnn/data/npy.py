"""Load data from a folder of .npy files, memory-mapped: they may be larger than memory."""

import os
from pathlib import Path

import numpy as np

from fastnn.data.arrays import Array
from fastnn.data.dataset import Dataset, make_dataset
from fastnn.data.npz import class_names


def load_npy(folder: str | os.PathLike[str], layout: str = "NCHW") -> Dataset:
    """Map a folder with x_train.npy and y_train.npy, and where they exist x_test and y_test.

    Nothing but the targets is read here; `Batches` reads the examples, batch by batch.

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
    train = (_map(folder / "x_train.npy"), _map(folder / "y_train.npy"))
    test = None
    if (folder / "x_test.npy").exists() or (folder / "y_test.npy").exists():
        test = (_map(folder / "x_test.npy"), _map(folder / "y_test.npy"))
    names = folder / "classes.npy"
    classes = class_names(_map(names), names) if names.exists() else None
    return make_dataset(train, test, str(folder), classes, layout)


def _map(path: Path) -> Array:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file, expected an array saved by numpy.save")
    try:
        # Not np.load: it would take a zip file for an .npz, whatever its name.
        array: Array = np.lib.format.open_memmap(path, mode="r")
    # What a damaged or hostile header raises depends on the byte that is wrong.
    except Exception as error:
        raise ValueError(
            f"{path}: cannot be mapped, expected an array saved by numpy.save ({error})"
        ) from error
    return array
