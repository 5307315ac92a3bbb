"""Picture files as pixels of one size and mode; or only their shapes, from the headers."""

from __future__ import annotations

import math
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from fastnn.arguments import instance, integer
from fastnn.data.arrays import Array
from fastnn.data.central import central_pictures
from fastnn.data.dataset import Split
from fastnn.data.outline import stand_in
from fastnn.files.read import open_regular

if TYPE_CHECKING:
    from PIL.Image import Image

CHANNELS = {"L": 1, "RGB": 3}
# Bytes for each pixel that Pillow holds at once: WebP 17, animated and progressive pictures 9.
DECODING_BYTES = 20
ORIENTATION = 0x0112  # EXIF: from 5 on, height and width are exchanged

Labelled = list[tuple[Path, int]]


class _Form:
    """The size and mode of all pictures: by default those of the first one."""

    def __init__(self, size: tuple[int, int] | None, mode: str | None) -> None:
        if mode is not None and not (isinstance(mode, str) and mode in CHANNELS):
            raise ValueError(f"mode is {mode!r}, expected 'L' or 'RGB'")
        if size is not None:
            for number in instance(size, "size", (tuple, list)):
                integer(number, "each of size")
            if len(size) != 2 or min(size) < 1:
                raise ValueError(f"size is {size}, expected (height, width)")
        try:
            from PIL import Image, ImageOps
        except ImportError as error:
            raise ImportError(
                "reading images needs Pillow: pip install 'fastnn[images]'"
            ) from error
        self._pillow, self._turn = Image, ImageOps.exif_transpose
        self.size, self.mode = size, mode
        self.first_fault = ""

    @contextmanager
    def _opened(self, path: Path) -> Iterator[Image]:
        with open_regular(path) as stream, self._pillow.open(stream) as image:
            if image.mode.startswith(("I", "F")):
                raise ValueError(
                    f"mode {image.mode} has more than 8 bits a channel; store such data as .npy"
                )
            yield image

    def _take_from(self, mode: str, height: int, width: int) -> None:
        if self.mode is None:
            self.mode = "L" if mode in ("1", "L", "LA") else "RGB"
        if self.size is None:
            self.size = (height, width)

    def _none(self, files: Labelled, folder: Path) -> ValueError:
        return ValueError(
            f"{folder}: none of {len(files)} images can be read ({self.first_fault})"
        )


class Pictures(_Form):
    """Reads pictures; unreadable ones are `skipped`, or errors if `strict`."""

    def __init__(
        self, size: tuple[int, int] | None, mode: str | None, strict: bool, central: bool = False
    ) -> None:
        super().__init__(size, mode)
        if central and (mode != "RGB" or size is None or size[0] != size[1]):
            raise ValueError(f"central needs a square size and mode 'RGB', got size {size} and "
                             f"mode {mode!r}")
        self.strict, self.central = strict, central
        self.skipped: list[str] = []

    def read(self, files: Labelled, folder: Path) -> Split:
        """Return images (n, channels, height, width) and class numbers, of the readable files."""
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
            raise self._none(files, folder)
        return images[: len(labels)], np.array(labels, np.int64)

    def _pixels(self, path: Path) -> Array | None:
        """Return one image as (channels, height, width) uint8, or None if it is to be skipped."""
        try:
            with self._opened(path) as image:
                image.load()  # the first frame of an animation
                self._turn(image, in_place=True)
                pixels = self._convert(image)
        # Pillow's decoders raise OSError, ValueError, SyntaxError, struct.error and others.
        except Exception as error:
            self.first_fault = self.first_fault or str(error)
            message = f"{path}: cannot be read as an image ({error})"
            if self.strict:
                raise ValueError(message) from error
            warnings.warn(f"{message}; it is left out", stacklevel=5)
            self.skipped.append(str(path))
            return None
        return pixels.transpose(2, 0, 1) if pixels.ndim == 3 else pixels[np.newaxis]

    def _convert(self, image: Image) -> Array:
        self._take_from(image.mode, image.height, image.width)
        assert self.size is not None and self.mode is not None
        if image.mode in ("P", "PA"):  # converted directly to RGB, Pillow warns of transparency
            image = image.convert("RGBA")
        if image.mode != self.mode:
            image = image.convert(self.mode)
        if self.central:
            central: Array = central_pictures(image, self.size[0])[0].transpose(1, 2, 0)
            return central
        if (image.height, image.width) != self.size:
            image = image.resize(self.size[::-1], self._pillow.Resampling.BILINEAR)
        return np.asarray(image, np.uint8)


class Headers(_Form):
    """Reads only headers. decoding: the most bytes that one picture takes while it is read."""

    def __init__(self, size: tuple[int, int] | None, mode: str | None) -> None:
        super().__init__(size, mode)
        self.decoding = 0

    def read(self, files: Labelled, folder: Path) -> Split:
        """Return what `Pictures.read` does, with zeros for pixels that take no memory."""
        labels = [label for path, label in files if self._is_readable(path)]
        if self.size is None or self.mode is None or not labels:
            raise self._none(files, folder)
        shape = (len(labels), CHANNELS[self.mode], *self.size)
        return stand_in(shape, np.uint8), np.array(labels, np.int64)

    def _is_readable(self, path: Path) -> bool:
        try:
            with self._opened(path) as image:
                self._look_at(image)
            pixels = image.width * image.height + math.prod(self.size or ())
            self.decoding = max(self.decoding, DECODING_BYTES * pixels + os.path.getsize(path))
        except Exception as error:  # as above; reading the picture will report it
            self.first_fault = self.first_fault or str(error)
            return False
        return True

    def _look_at(self, image: Image) -> None:
        is_turned = self.size is None and image.getexif().get(ORIENTATION, 1) >= 5
        height, width = image.size if is_turned else image.size[::-1]
        self._take_from(image.mode, height, width)


def _allocate(count: int, pixels: Array, folder: Path) -> Array:
    try:
        return np.empty((count, *pixels.shape), np.uint8)
    except MemoryError as error:
        raise MemoryError(
            f"{folder}: {count} images of {pixels.shape} need {count * pixels.size / 2**30:.1f} "
            "GiB; give a smaller size, or store them as .npy files"
        ) from error
