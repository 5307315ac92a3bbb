"""Find data by name or by path."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastnn.data.dataset import Dataset
from fastnn.data.idx import (
    holds_idx,
    load_fashion_mnist,
    load_idx,
    outline_fashion_mnist,
    outline_idx,
)
from fastnn.data.images import load_image_folder, outline_image_folder
from fastnn.data.npy import load_npy
from fastnn.data.npz import load_npz, outline_npz
from fastnn.data.outline import Outline
from fastnn.data.shipped import load_fashion_mnist_small, outline_fashion_mnist_small
from fastnn.files.regular import check_regular

DATASETS: dict[str, Callable[..., Dataset]] = {
    "fashion-mnist-small": load_fashion_mnist_small,
    "fashion-mnist": load_fashion_mnist,
}
OUTLINES: dict[Callable[..., Dataset], Callable[..., Outline]] = {
    load_fashion_mnist_small: outline_fashion_mnist_small,
    load_fashion_mnist: outline_fashion_mnist,
    load_idx: outline_idx,
    load_image_folder: outline_image_folder,
    load_npz: outline_npz,
}


def load(source: str | os.PathLike[str], **options: Any) -> Dataset:
    """Load a data set by its name, or from a file or folder.

    Args:
        source: a name in `DATASETS`; or a path: an .npz file, a folder with x_train.npy, with
            MNIST's idx files, or with one folder of images per class.
        **options: passed on to the function that loads this kind of data: `folder` for
            "fashion-mnist", `layout` for .npz and .npy, `size`, `mode`, `test_fraction`,
            `seed` and `strict` for images.

    Returns:
        The data, checked; see `Dataset`.

    Raises:
        ValueError: the name is unknown, or the data cannot be trained on; the message names the
            file and what was expected.
        TypeError: an option that this kind of data does not have.
        OSError: a file is missing or cannot be opened.

    Example:
        >>> load("fashion-mnist-small").classes[:3]
        ('T-shirt/top', 'Trouser', 'Pullover')
        >>> load("fashoin-mnist")
        Traceback (most recent call last):
            ...
        ValueError: unknown data 'fashoin-mnist': did you mean fashion-mnist or \
fashion-mnist-small? Expected fashion-mnist-small, fashion-mnist, or the path of an .npz file \
or of a folder with x_train.npy, idx files or images by class
    """
    if isinstance(source, str) and source in DATASETS:
        return DATASETS[source](**options)
    return loader_of(source)(source, **options)


def outline(source: str | os.PathLike[str]) -> Outline:
    """What `load` returns and takes in memory, by the headers of files. Raises as `load` does.

    Example:
        >>> outline("fashion-mnist-small").bytes
        4704000
    """
    if isinstance(source, str) and source in DATASETS:
        return OUTLINES[DATASETS[source]]()
    loader = loader_of(source)
    if loader in OUTLINES:
        return OUTLINES[loader](source)
    return Outline(loader(source))  # memory-mapped


def loader_of(source: str | os.PathLike[str]) -> Callable[..., Dataset]:
    """The function that loads data of a name, or a path by what is there. Raises as `load`."""
    if isinstance(source, str) and source in DATASETS:
        return DATASETS[source]
    path = Path(source)
    if path.is_file():
        if path.suffix == ".npz":
            return load_npz
        raise ValueError(f"{path}: expected an .npz file, or a folder with {_FOLDERS}")
    if path.exists() and not path.is_dir():
        check_regular(path.stat().st_mode, path)
    if path.is_dir():
        if (path / "x_train.npy").exists():
            return load_npy
        if holds_idx(path):
            return load_idx
        if any(child.is_dir() for child in path.iterdir()):
            return load_image_folder
        raise ValueError(f"{path}: expected a folder with {_FOLDERS}")
    if path.suffix or len(path.parts) > 1:
        raise FileNotFoundError(f"{path}: no such file or folder")
    close = difflib.get_close_matches(str(source), DATASETS)
    hint = f"did you mean {' or '.join(close)}? " if close else ""
    raise ValueError(
        f"unknown data {str(source)!r}: {hint}Expected {', '.join(DATASETS)}, or the path of an "
        f".npz file or of a folder with {_FOLDERS}"
    )


_FOLDERS = "x_train.npy, idx files or images by class"
