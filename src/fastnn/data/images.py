"""Load a folder of images, one sub-folder per class."""

import os
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.arguments import instance, integer, real
from fastnn.data.arrays import Array
from fastnn.data.dataset import Dataset, Split, make_dataset
from fastnn.files.read import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

SUFFIXES = frozenset(
    (".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp")
)
CHANNELS = {"L": 1, "RGB": 3}
STRAY_FOLDERS = frozenset(("__MACOSX", "@eaDir", "lost+found"))

Labelled = list[tuple[Path, int]]


def load_image_folder(
    folder: str | os.PathLike[str],
    size: tuple[int, int] | None = None,
    mode: str | None = None,
    test_fraction: float = 0.2,
    seed: int = 0,
    strict: bool = False,
) -> Dataset:
    """Load images by class: folder/class/image, or folder/train/class and folder/test/class.

    All images are held in memory as uint8; a set that is larger belongs into .npy files (see
    `load_npy`). Classes are numbered in the order of their sorted names. Passed over is what
    people did not put there: hidden files and folders at any depth (.ipynb_checkpoints, ._1.png),
    __MACOSX, and files that are no images by their suffix.

    Pictures are taken as seen, turned as their EXIF orientation says; of an animation the first.
    Colours are converted to one mode, transparency is dropped. Truncated ones, and those with more
    than 8 bits a channel, count as such that cannot be read.

    Args:
        folder: the folder; without a folder train in it, a test set is split off.
        size: (height, width) that every image is resized to; `None`: that of the first image.
        mode: "L" (grey) or "RGB"; `None`: that of the first image.
        test_fraction: the part of every class that becomes the test set, 0 (none) to below 1.
        seed: of the split, 0 or more; the same files and seed give the same split.
        strict: raise on an image that cannot be read; otherwise warn, leave it out, and list it
            in `Dataset.skipped`.

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
    if mode is not None and not (isinstance(mode, str) and mode in CHANNELS):
        raise ValueError(f"mode is {mode!r}, expected 'L' or 'RGB'")
    if size is not None:
        for number in instance(size, "size", (tuple, list)):
            integer(number, "each of size")
    if size is not None and (len(size) != 2 or min(size) < 1):
        raise ValueError(f"size is {size}, expected (height, width)")
    real(test_fraction, "test_fraction")
    integer(seed, "seed", "an integer from 0 to 2**64 - 1", 0, 2**64 - 1)
    if not 0 <= test_fraction < 1:
        raise ValueError(f"test_fraction is {test_fraction}, expected 0 to below 1")
    folder = Path(folder)
    if (folder / "train").is_dir():
        classes = _class_names(folder / "train")
        train = _list_images(folder / "train", classes)
        has_test = (folder / "test").is_dir()
        test = _list_images(folder / "test", classes) if has_test else []
    else:
        classes = _class_names(folder)
        train, test = _split(_list_images(folder, classes), test_fraction, seed)
    reader = _Reader(size, mode, strict)
    train_arrays = reader.read(train, folder)
    test_arrays = reader.read(test, folder) if test else None
    data = make_dataset(train_arrays, test_arrays, str(folder), classes)
    return replace(data, skipped=tuple(reader.skipped))


class _Reader:
    """Reads images to one size and mode, taken from the first that can be read if not given."""

    def __init__(self, size: tuple[int, int] | None, mode: str | None, strict: bool) -> None:
        try:
            from PIL import Image, ImageOps
        except ImportError as error:
            raise ImportError(
                "reading images needs Pillow: pip install 'fastnn[images]'"
            ) from error
        self._pillow, self._turned = Image, ImageOps.exif_transpose
        self.size, self.mode, self.strict = size, mode, strict
        self.skipped: list[str] = []
        self.first_fault = ""

    def read(self, files: Labelled, folder: Path) -> Split:
        """Return the images (n, channels, height, width) and class numbers of those readable."""
        images: Array | None = None
        labels: list[int] = []
        for path, label in files:
            pixels = self._pixels(path)
            if pixels is None:
                continue
            if images is None:
                images = _allocate(len(files), pixels, folder)
            images[len(labels)] = pixels
            labels.append(label)
        if images is None:
            raise ValueError(
                f"{folder}: none of {len(files)} images can be read ({self.first_fault})"
            )
        return images[: len(labels)], np.array(labels, np.int64)

    def _pixels(self, path: Path) -> Array | None:
        """Return one image as (channels, height, width) uint8, or None if it is to be skipped."""
        try:
            with open_regular(path) as stream, self._pillow.open(stream) as image:
                image.load()  # of several pictures the first
                pixels = self._convert(self._turned(image))
        # Pillow's decoders raise OSError, ValueError, SyntaxError, struct.error and others.
        except Exception as error:
            self.first_fault = self.first_fault or str(error)
            message = f"{path}: cannot be read as an image ({error})"
            if self.strict:
                raise ValueError(message) from error
            warnings.warn(f"{message}; it is left out", stacklevel=4)
            self.skipped.append(str(path))
            return None
        return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[np.newaxis]

    def _convert(self, image: "Image") -> Array:
        if image.mode.startswith(("I", "F")):
            raise ValueError(
                f"mode {image.mode} has more than 8 bits a channel; store such data as .npy"
            )
        if self.mode is None:
            self.mode = "L" if image.mode in ("1", "L", "LA") else "RGB"
        if self.size is None:
            self.size = (image.height, image.width)
        if image.mode in ("P", "PA"):  # straight to RGB, Pillow warns of transparent entries
            image = image.convert("RGBA")
        image = image.convert(self.mode)
        if (image.height, image.width) != self.size:
            image = image.resize(self.size[::-1], self._pillow.Resampling.BILINEAR)
        return np.asarray(image, np.uint8)


def _allocate(count: int, pixels: Array, folder: Path) -> Array:
    try:
        return np.empty((count, *pixels.shape), np.uint8)
    except MemoryError as error:
        raise MemoryError(
            f"{folder}: {count} images of {pixels.shape} need {count * pixels.size / 2**30:.1f} "
            "GiB; give a smaller size, or store them as .npy files"
        ) from error


def _is_meant(name: str) -> bool:
    """Whether people put this into a folder, and not an editor or an archiver."""
    return not name.startswith(".") and name not in STRAY_FOLDERS


def _class_names(folder: Path) -> list[str]:
    """Return the sorted names of the sub-folders that are meant as classes."""
    names = sorted(path.name for path in folder.iterdir() if path.is_dir() and _is_meant(path.name))
    if not names:
        raise ValueError(f"{folder}: expected one sub-folder of images for each class")
    return names


def _images_below(folder: Path) -> Iterator[Path]:
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
        found = sorted(_images_below(folder / name))
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
