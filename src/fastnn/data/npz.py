"""Load data from an .npz file of NumPy arrays."""

import math
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.data.arrays import Array
from fastnn.data.dataset import Dataset, make_dataset
from fastnn.data.npy import class_names, read_header
from fastnn.data.outline import Outline, stand_in
from fastnn.files.read import open_regular, reason

LARGEST_DEFLATE_RATIO = 1032  # deflate cannot expand further


def load_npz(path: str | os.PathLike[str], layout: str = "NCHW") -> Dataset:
    """Load an .npz file that holds x_train and y_train, or x and y.

    Args:
        path: the file. Its arrays: x_train (n, features), (n, height, width) or images in
            `layout`, y_train (n,), and where there is a test set x_test and y_test; or x and y
            alone. An array of strings `classes` names the classes; other arrays are ignored.
        layout: "NCHW" or "NHWC", how images of rank 4 are stored.

    Raises:
        ValueError: the file is no .npz file, lacks an array, holds Python objects (they are
            never unpickled), or the arrays cannot be trained on.
        OSError: the file cannot be opened.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     np.savez(Path(folder, "t.npz"), x=np.zeros((4, 3)), y=np.array([0, 1, 0, 1]))
        ...     data = load_npz(Path(folder, "t.npz"))
        >>> data.train[0].shape, data.test, data.classes
        ((4, 3), None, ('0', '1'))
    """
    return _load(Path(path), layout, _read_array)


def outline_npz(path: str | os.PathLike[str], layout: str = "NCHW") -> Outline:
    """What `load_npz` returns and takes; only targets and names are read."""
    return Outline(_load(Path(path), layout, _outline_array))


def read_examples(path: Path) -> Array:
    """The array x of an .npz file, or x_test, or the only one there is.

    Raises ValueError, OSError that name the file.
    """
    with _opened(path) as archive:
        names = [name.removesuffix(".npy") for name in archive.namelist()]
        meant = [name for name in ("x", "x_test") if name in names] or names
        if (len(meant) > 1 and meant is names) or not meant:
            raise ValueError(f"{path}: holds {', '.join(names)[:100] or 'nothing'}, expected an "
                             "array x or x_test, or one array alone")
        return _read_one(archive, meant[0], path, _read_array)


@contextmanager
def _opened(path: Path) -> Iterator[zipfile.ZipFile]:
    with open_regular(path) as stream:
        try:
            archive = zipfile.ZipFile(stream)
        # A damaged or hostile file may raise many types of errors.
        except Exception as error:
            raise ValueError(f"{path}: expected an .npz file ({reason(error)})") from error
        yield archive


def _load(path: Path, layout: str, read_examples: Callable[[Any], Array]) -> Dataset:
    with _opened(path) as archive:
        arrays = _read(archive, path, read_examples)
    names = ("x_train", "y_train") if "x_train" in arrays else ("x", "y")
    missing = [name for name in names if name not in arrays]
    if ("x_test" in arrays) != ("y_test" in arrays):
        missing.append("y_test" if "x_test" in arrays else "x_test")
    if missing:
        raise ValueError(
            f"{path}: no array {' or '.join(missing)}, "
            "expected x_train and y_train (and x_test, y_test), or x and y"
        )
    train = (arrays[names[0]], arrays[names[1]])
    test = (arrays["x_test"], arrays["y_test"]) if "x_test" in arrays else None
    classes = arrays.get("classes")
    return make_dataset(
        train, test, str(path), None if classes is None else class_names(classes, path), layout
    )


def _read(
    archive: zipfile.ZipFile, path: Path, read_examples: Callable[[Any], Array]
) -> dict[str, Array]:
    """Read the arrays we know."""
    arrays = {}
    for name in ("x_train", "y_train", "x_test", "y_test", "x", "y", "classes"):
        if f"{name}.npy" in archive.namelist():
            reader = read_examples if name[0] == "x" else _read_array
            arrays[name] = _read_one(archive, name, path, reader)
    return arrays


def _read_one(
    archive: zipfile.ZipFile, name: str, path: Path, reader: Callable[[Any], Array]
) -> Array:
    try:
        _check_member(archive, f"{name}.npy")
        with archive.open(f"{name}.npy") as stream:
            return reader(stream)
    except Exception as error:
        raise ValueError(
            f"{path}: cannot read array {name}, expected plain numbers ({reason(error)})"
        ) from error


def _read_array(stream: Any) -> Array:
    """Read an array by np.lib.format, which never unpickles when told not to."""
    return np.lib.format.read_array(stream, allow_pickle=False)


def _outline_array(stream: Any) -> Array:
    shape, _, dtype = read_header(stream)
    return stand_in(shape, dtype)


def _check_member(archive: zipfile.ZipFile, name: str) -> None:
    """Raise ValueError for an array that would take more memory than its file can hold."""
    member = archive.getinfo(name)
    ratio = {zipfile.ZIP_STORED: 1, zipfile.ZIP_DEFLATED: LARGEST_DEFLATE_RATIO}.get(
        member.compress_type)
    if ratio is None:
        raise ValueError("compressed in another way than numpy.savez does")
    with archive.open(name) as stream:
        shape, _, dtype = read_header(stream)
        promised = stream.tell() + math.prod(shape) * dtype.itemsize
    if promised > member.file_size or member.file_size > ratio * member.compress_size:
        raise ValueError(f"{promised} bytes promised, {member.compress_size} there")
