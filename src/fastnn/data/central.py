"""Pictures as a net that was trained elsewhere wants them: the middle of each, in one size."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fastnn.arguments import integer, real
from fastnn.data.arrays import Array
from fastnn.files.read import open_regular, reason

if TYPE_CHECKING:
    from PIL.Image import Image


def central_pictures(pictures: Any, size: int, share: float = 1.0) -> Array:
    """The central square of pictures, scaled to `size` x `size` pixels, as bytes.

    Of each picture, the square in the middle whose side is `share` of the shorter side is scaled by
    bicubic interpolation over all pixels that fall into a new one (Pillow's BICUBIC, antialiased).
    Files are turned as their EXIF orientation says; grey becomes RGB, transparency is dropped.

    Args:
        pictures: one or several: paths of files, pictures of Pillow, arrays (height, width, 3) or
            (height, width) of bytes; or one array (n, 3, height, width) of bytes, as
            `load_image_folder` gives. Of that, pictures that have the size are only copied.
        size: the side of the result.
        share: of the shorter side, above 0 to 1.

    Returns:
        uint8 (n, 3, size, size).

    Raises:
        TypeError, ValueError: something is no picture; the message says which.
        OSError: a file cannot be opened. ImportError: Pillow is not installed.

    Example:
        >>> central_pictures(np.zeros((30, 40, 3), np.uint8), 8).shape
        (1, 3, 8, 8)
    """
    side = integer(size, "size", "a number of pixels from 1 on", 1)
    part = real(share, "share", "a number above 0, up to 1", above=0, most=1)
    try:
        from PIL import Image
    except ImportError as error:
        raise ImportError("reading images needs Pillow: pip install 'fastnn[images]'") from error
    if isinstance(pictures, np.ndarray) and pictures.ndim == 4:
        if pictures.shape[1] != 3 or pictures.dtype != np.uint8:
            raise ValueError(f"pictures is an array {pictures.shape} of {pictures.dtype}, expected "
                             "(n, 3, height, width) of uint8")
        pictures = pictures.transpose(0, 2, 3, 1)
        if pictures.shape[1:3] == (side, side) and part == 1:
            return np.array(pictures.transpose(0, 3, 1, 2), order="C")
    elif _is_one(pictures) or isinstance(pictures, Image.Image):
        pictures = [pictures]
    elif not isinstance(pictures, Iterable):
        raise TypeError(f"pictures must be paths, pictures of Pillow or arrays, got "
                        f"{type(pictures).__name__}")
    found = [_central(_opened(picture, number), side, part)
             for number, picture in enumerate(pictures)]
    return np.stack(found) if found else np.empty((0, 3, side, side), np.uint8)


def _is_one(picture: Any) -> bool:
    return isinstance(picture, (str, os.PathLike, np.ndarray))


def _opened(picture: Any, number: int) -> Image:
    """One picture as RGB."""
    from PIL import Image, ImageOps

    if isinstance(picture, np.ndarray):
        if picture.dtype != np.uint8 or picture.shape[2:] not in ((), (3,)) or picture.ndim < 2 \
                or 0 in picture.shape:
            raise ValueError(f"picture {number} is an array {picture.shape} of {picture.dtype}, "
                             "expected (height, width, 3) or (height, width) of uint8")
        return Image.fromarray(np.ascontiguousarray(picture)).convert("RGB")
    if isinstance(picture, Image.Image):
        return picture.convert("RGB")
    if not isinstance(picture, (str, os.PathLike)):
        raise TypeError(f"picture {number} must be a path, a picture of Pillow or an array, got "
                        f"{type(picture).__name__}")
    path = Path(picture)
    with open_regular(path) as stream:
        try:
            with Image.open(stream) as image:
                turned: Any = ImageOps.exif_transpose(image)
                if turned.mode.startswith(("I", "F")):
                    raise ValueError(f"mode {turned.mode} has more than 8 bits a channel")
                whole = turned.convert("RGBA") if turned.mode in ("P", "PA") else turned
                found: Image.Image = whole.convert("RGB")
                return found
        # Pillow's decoders raise OSError, ValueError, SyntaxError, struct.error and others.
        except Exception as error:
            raise ValueError(f"{path}: cannot be read as an image ({reason(error)})") from error


def _central(image: Image, side: int, share: float) -> Array:
    from PIL import Image

    square = share * min(image.size)
    left, top = (image.width - square) / 2, (image.height - square) / 2
    scaled = image.resize((side, side), Image.Resampling.BICUBIC,
                          box=(left, top, left + square, top + square))
    return np.asarray(scaled, np.uint8).transpose(2, 0, 1)
