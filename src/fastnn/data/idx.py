"""Read idx files, the format of MNIST and Fashion-MNIST, plain or gzipped."""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np

from fastnn.data.arrays import Array
from fastnn.data.dataset import Dataset, Split, make_dataset
from fastnn.data.outline import Outline, stand_in
from fastnn.files.read import open_regular

CLASSES = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
DEBIAN_FOLDER = Path("/usr/share/datasets/fashion-mnist")
FIRST_FILE = "train-images-idx3-ubyte"

_TYPES = {0x08: ">u1", 0x09: ">i1", 0x0B: ">i2", 0x0C: ">i4", 0x0D: ">f4", 0x0E: ">f8"}
# Deflate cannot expand further than this, which bounds what a hostile header can make us allocate.
_LARGEST_GZIP_RATIO = 1032
_MOST_AXES = 32  # the limit of every NumPy


def read_idx(path: str | os.PathLike[str]) -> Array:
    """Read one idx file: two zero bytes, type, rank, sizes (big-endian uint32), values.

    Args:
        path: the file; a name ending in .gz is decompressed.

    Returns:
        An array in native byte order, of the shape and type that the header names.

    Raises:
        ValueError: the header is not one of an idx file, or the file is shorter or longer than
            its header says; the message names the file and what was expected.
        OSError: the file cannot be opened.

    Source: LeCun, Cortes and Burges, "The MNIST database" (1998), which defines the format.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = Path(folder, "labels-idx1-ubyte")
        ...     _ = path.write_bytes(bytes([0, 0, 8, 1, 0, 0, 0, 3, 7, 8, 9]))
        ...     read_idx(path)
        array([7, 8, 9], dtype=uint8)
    """
    path = Path(path)
    with _opened(path) as (stream, limit):
        shape, dtype = _read_header(stream, path, limit)
        values = np.empty(shape, dtype)
        _fill(values, stream, path)
    return values if dtype.isnative else values.byteswap(inplace=True).view(_native(dtype))


def _outline_idx(path: Path) -> Array:
    """What `read_idx` returns, as zeros that take no memory."""
    with _opened(path) as (stream, limit):
        shape, dtype = _read_header(stream, path, limit)
    return stand_in(shape, _native(dtype))


def _native(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("=")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[BinaryIO, int]]:
    """(the file's content, how many bytes that can be)."""
    compressed = path.suffix == ".gz"
    with open_regular(path) as file:
        limit = os.fstat(file.fileno()).st_size * (_LARGEST_GZIP_RATIO if compressed else 1)
        stream = gzip.GzipFile(fileobj=file) if compressed else file
        try:
            yield cast(BinaryIO, stream), limit
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise ValueError(f"{path}: broken or truncated gzip file ({error})") from error


def _read_header(
    stream: BinaryIO, path: Path, limit: int
) -> tuple[tuple[int, ...], np.dtype[Any]]:
    start = stream.read(4)
    if len(start) < 4 or start[:2] != b"\0\0" or start[2] not in _TYPES or start[3] == 0:
        raise ValueError(
            f"{path}: starts with {start.hex(' ') or 'nothing'}, expected an idx header: "
            "00 00, a type of 08..0e, a rank"
        )
    dtype, rank = np.dtype(_TYPES[start[2]]), start[3]
    sizes = stream.read(4 * rank)
    if len(sizes) < 4 * rank:
        raise ValueError(f"{path}: truncated in the header, expected {rank} sizes")
    shape = struct.unpack(f">{rank}I", sizes)
    expected = math.prod(shape) * dtype.itemsize
    if expected > limit:
        raise ValueError(f"{path}: truncated, expected {expected} bytes of values for {shape}")
    if rank > _MOST_AXES:
        raise ValueError(f"{path}: of rank {rank}, expected 1 to {_MOST_AXES}")
    if 0 in shape:
        raise ValueError(f"{path}: of shape {shape}, expected at least one value")
    return shape, dtype


def _fill(values: Array, stream: BinaryIO, path: Path) -> None:
    rest = values.reshape(-1).view(np.uint8).data
    while rest and (count := stream.readinto(rest)):  # type: ignore[attr-defined]
        rest = rest[count:]
    if rest or stream.read(1):  # the latter reaches gzip's checksum too
        found = values.nbytes - len(rest) if rest else "more"
        raise ValueError(
            f"{path}: expected {values.nbytes} bytes of values for {values.shape}, found {found}"
        )


def load_idx(folder: str | os.PathLike[str], classes: Sequence[str] | None = None) -> Dataset:
    """Load a folder with the four idx files that MNIST and its successors come in.

    Args:
        folder: holds train-images-idx3-ubyte, train-labels-idx1-ubyte, t10k-images-idx3-ubyte
            and t10k-labels-idx1-ubyte, each plain or with .gz.
        classes: the classes' names; `None`: their numbers.

    Raises:
        FileNotFoundError: one of the files is missing.
        ValueError: a file is malformed, or images and labels do not fit together.

    Example:
        >>> load_idx("nowhere")
        Traceback (most recent call last):
            ...
        FileNotFoundError: nowhere: expected train-images-idx3-ubyte or ...ubyte.gz in it
    """
    return _load(Path(folder), classes, read_idx)


def outline_idx(
    folder: str | os.PathLike[str], classes: Sequence[str] | None = None
) -> Outline:
    """What `load_idx` returns and takes; only labels are read."""
    return Outline(_load(Path(folder), classes, _outline_idx))


def _load(
    folder: Path, classes: Sequence[str] | None, read_images: Callable[[Path], Array]
) -> Dataset:
    def split(prefix: str) -> Split:
        images, labels = f"{prefix}-images-idx3-ubyte", f"{prefix}-labels-idx1-ubyte"
        x, y = read_images(_find(folder, images)), read_idx(_find(folder, labels))
        if x.ndim != 3 or y.ndim != 1:
            raise ValueError(
                f"{folder}: {images} has shape {x.shape} and {labels} {y.shape}, "
                "expected (n, height, width) and (n,)"
            )
        return x, y

    return make_dataset(split("train"), split("t10k"), str(folder), classes)


def load_fashion_mnist(folder: str | os.PathLike[str] | None = None) -> Dataset:
    """Load the full Fashion-MNIST: 60,000 training and 10,000 test images of 28x28, 10 classes.

    Args:
        folder: holds the four idx files; `None`: the folder that the environment variable
            FASTNN_DATA names, or else that of Debian's package dataset-fashion-mnist.

    Raises:
        FileNotFoundError: the files are in none of these places.
        ValueError: a file is malformed.

    Source: Xiao, Rasul and Vollgraf, "Fashion-MNIST: a novel image dataset for benchmarking
    machine learning algorithms" (2017).

    Example:
        >>> load_fashion_mnist().train[0].shape  # doctest: +SKIP
        (60000, 1, 28, 28)
    """
    return load_idx(_fashion_mnist(folder), CLASSES)


def outline_fashion_mnist(folder: str | os.PathLike[str] | None = None) -> Outline:
    """What `load_fashion_mnist` returns and takes; only labels are read."""
    return outline_idx(_fashion_mnist(folder), CLASSES)


def _fashion_mnist(folder: str | os.PathLike[str] | None) -> Path:
    """The folder of the four files."""
    if folder is not None:
        return Path(folder)
    named = os.environ.get("FASTNN_DATA")
    places = [Path(named), Path(named, "fashion-mnist")] if named else []
    places.append(DEBIAN_FOLDER)
    for place in places:
        if holds_idx(place):
            return place
    raise FileNotFoundError(
        f"fashion-mnist: no {FIRST_FILE}[.gz] in {', '.join(map(str, places))}; install Debian's "
        "package dataset-fashion-mnist, or name a folder that holds the idx files"
    )


def holds_idx(folder: Path) -> bool:
    """Say whether `folder` holds MNIST's idx files, judged by the training images."""
    return (folder / FIRST_FILE).exists() or (folder / f"{FIRST_FILE}.gz").exists()


def _find(folder: Path, name: str) -> Path:
    for path in (folder / name, folder / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(f"{folder}: expected {name} or ...ubyte.gz in it")
