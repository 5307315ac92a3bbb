"""Load a folder of images, one sub-folder per class."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.arguments import integer, real
from fastnn.data.dataset import Dataset, make_dataset
from fastnn.data.outline import Outline
from fastnn.data.pictures import Headers, Labelled, Pictures

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
STRAY_FOLDERS = frozenset(("__MACOSX", "@eaDir", "lost+found"))


def load_image_folder(
    folder: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    strict: bool = False,
    central: bool = False,
) -> Dataset:
    """Load images by class: folder/class/image, or folder/train/class and folder/test/class.

    All images are held in memory as uint8; larger sets belong into .npy files (see
    `load_npy`). Classes are numbered in the order of their sorted names. Ignored are hidden files
    and folders at any depth (.ipynb_checkpoints, ._1.png), __MACOSX, and files without the suffix
    of an image.

    Pictures are turned as their EXIF orientation says; of an animation the first one is used.
    Colours are converted to one mode, transparency is dropped. Truncated pictures, and those with
    more than 8 bits a channel, count as unreadable.

    Args:
        folder: the folder; without a folder train in it, a test set is split off.
        size: (height, width) that every image is resized to; `None`: that of the first image.
        mode: "L" (grey) or "RGB"; `None`: that of the first image.
        test_fraction: the part of every class that becomes the test set, 0 (none) to below 1.
        seed: of the split, 0 or more; the same files and seed give the same split.
        strict: raise on an image that cannot be read; otherwise warn, leave it out, and list it
            in `Dataset.skipped`.
        central: take the central square of each image, scaled as `central_pictures` does, instead
            of squeezing all of it into `size`, which must be a square, in mode "RGB".

    Returns:
        uint8 images (n, channels, height, width) and int64 class numbers (n,).

    Raises:
        ValueError: there is no class or no image where one is expected, an image cannot be read
            (`strict`), or an argument is out of range.
        ImportError: Pillow is not installed.
        MemoryError: the images do not fit into memory.

    Example:
        >>> load_image_folder("pictures", mode="CMYK")
        Traceback (most recent call last):
            ...
        ValueError: mode is 'CMYK', expected 'L' or 'RGB'
    """
    reader = Pictures(size, mode, strict, central)
    data = _load(Path(folder), reader, test_fraction, seed)
    skipped = frozenset(reader.skipped)
    files = tuple(tuple(file for file in part if file not in skipped) for part in data.files)
    return replace(data, skipped=tuple(reader.skipped), files=files)


def outline_image_folder(
    folder: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
) -> Outline:
    """What `load_image_folder` returns and takes; of each picture the header is read.

    A damaged picture counts here, but loading leaves it out.
    """
    reader = Headers(size, mode)
    data = _load(Path(folder), reader, test_fraction, seed)
    return Outline(data, reader.decoding)


def _load(folder: Path, reader: Pictures | Headers, test_fraction: float, seed: int) -> Dataset:
    real(test_fraction, "test_fraction")
    integer(seed, "seed", "an integer from 0 to 2**64 - 1", 0, 2**64 - 1)
    if not 0 <= test_fraction < 1:
        raise ValueError(f"test_fraction is {test_fraction}, expected 0 to below 1")
    if (folder / "train").is_dir():
        classes = _class_names(folder / "train")
        train = _list_images(folder / "train", classes)
        has_test = (folder / "test").is_dir()
        test = _list_images(folder / "test", classes) if has_test else []
    else:
        classes = _class_names(folder)
        train, test = _split(_list_images(folder, classes), test_fraction, seed)
    train_arrays = reader.read(train, folder)
    test_arrays = reader.read(test, folder) if test else None
    files = tuple(tuple(str(path) for path, _ in part) for part in (train, test))
    return replace(make_dataset(train_arrays, test_arrays, str(folder), classes), files=files)


def _is_meant(name: str) -> bool:
    """Whether a name is not one that editors and archivers leave in a folder."""
    return not name.startswith(".") and name not in STRAY_FOLDERS


def _class_names(folder: Path) -> list[str]:
    """Return the sorted names of the sub-folders that are meant as classes."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and _is_meant(path.name))
    if not names:
        raise ValueError(f"{folder}: expected one sub-folder of images for each class")
    return names


def images_below(folder: Path) -> Iterator[Path]:
    """Files with the suffix of an image, at any depth, but hidden ones and stray folders."""
    for path in folder.rglob("*"):
        if path.suffix.lower() in SUFFIXES and not path.is_dir() and all(
            _is_meant(part) for part in path.relative_to(folder).parts
        ):
            yield path


def _list_images(folder: Path, classes: Sequence[str]) -> Labelled:
    """Return the images below `folder`, class by class; a test set may lack some classes."""
    files: Labelled = []
    for name in _class_names(folder):
        if name not in classes:
            raise ValueError(f"{folder / name}: no such class in training, only {classes}")
        found = sorted(images_below(folder / name))
        if not found:
            raise ValueError(f"{folder / name}: no image, expected {', '.join(sorted(SUFFIXES))}")
        files += [(path, classes.index(name)) for path in found]
    return files


def _split(files: Labelled, test_fraction: float, seed: int) -> tuple[Labelled, Labelled]:
    """Split every class by itself; each side keeps the files' order."""
    labels: Any = np.array([label for _, label in files])
    keys = np.random.Philox(key=seed).random_raw(len(files))
    in_test = np.zeros(len(files), bool)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        count = min(round(test_fraction * len(members)), len(members) - 1)
        in_test[members[np.argsort(keys[members], kind="stable")[:count]]] = True
    train = [file for file, chosen in zip(files, in_test, strict=True) if not chosen]
    return train, [file for file, chosen in zip(files, in_test, strict=True) if chosen]
