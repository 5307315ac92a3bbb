"""What a run is to predict: pictures, folders of them, arrays and tables, in named batches."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastnn.cli.run import Run
from fastnn.data.checks import check_finite
from fastnn.data.images import SUFFIXES, images_below
from fastnn.data.npy import map_array
from fastnn.data.npz import read_examples
from fastnn.data.table import read_csv

TABLE = ".csv"
ARRAYS = {".npy": map_array, ".npz": read_examples}


@dataclass(frozen=True)
class Examples:
    """A batch. names: of each, a file, file[place from 0 on], or file[row from 1 on] of a table.
    x: (n, ...), as the run's examples.
    """

    names: list[str]
    x: np.ndarray


def batches(
    files: Sequence[str], run: Run, size: int, resize: bool = True
) -> Iterator[Examples]:
    """The examples in files and folders, in their order; those of a folder by their names.

    size: examples in a batch. resize: whether pictures of other sizes are brought to the net's.
    Raises ValueError, OSError that name the file, of a picture when its batch is read; but all that
    is wrong with names is said before the first batch.
    """
    parts = [_found(Path(name), run) for name in files]
    return _batches(parts, run, size, resize)


def _found(path: Path, run: Run) -> list[Path]:
    """The files that a name stands for."""
    if path.is_dir():
        files = sorted(images_below(path))
        if not files:
            raise ValueError(f"{path}: no picture in this folder, expected "
                             f"{', '.join(sorted(SUFFIXES))}")
    else:
        files = [path]
    for file in files:
        suffix = file.suffix.lower()
        if suffix not in ARRAYS and suffix not in SUFFIXES and suffix != TABLE:
            raise ValueError(f"{file}: expected a picture ({', '.join(sorted(SUFFIXES))}), a "
                             "folder of them, arrays (.npy, .npz), or a table (.csv)")
        if (suffix == TABLE) != (run.encoder is not None):
            raise ValueError(f"{file}: the run was trained on {_kind(run)}")
        if not file.exists():
            raise FileNotFoundError(2, "No such file or folder", str(file))
        if suffix in SUFFIXES and run.pictures is None:
            raise ValueError(f"{file}: this run was not trained on pictures, as far as its folder "
                             f"says: give arrays of shape (n, {_words(run.example_shape)})")
    return files


def _batches(
    parts: list[list[Path]], run: Run, size: int, resize: bool
) -> Iterator[Examples]:
    waiting: list[Path] = []
    for path in (path for files in parts for path in files):
        if path.suffix.lower() in SUFFIXES:
            waiting.append(path)
            if len(waiting) < size:
                continue
        if waiting:
            yield _pictures(waiting, run, resize)
            waiting = []
        if path.suffix.lower() == TABLE:
            yield from _rows(path, run, size)
        elif path.suffix.lower() in ARRAYS:
            x = fitting(ARRAYS[path.suffix.lower()](path), run, str(path))
            for start in range(0, len(x), size):
                part = np.asarray(x[start:start + size])
                yield Examples([f"{path}[{start + i}]" for i in range(len(part))],
                               numbers(part, run, f"{path}, from example {start} on"))
    if waiting:
        yield _pictures(waiting, run, resize)


def _rows(path: Path, run: Run, size: int) -> Iterator[Examples]:
    assert run.encoder is not None
    x = run.encoder.transform(read_csv(path), str(path))
    for start in range(0, len(x), size):
        part = x[start:start + size]
        yield Examples([f"{path}[{start + i + 1}]" for i in range(len(part))], part)


def _kind(run: Run) -> str:
    return "arrays or pictures: it reads no table" if run.encoder is None else \
        "a table: give .csv files with its columns"


def _pictures(paths: list[Path], run: Run, resize: bool) -> Examples:
    assert run.pictures is not None
    for path in paths if not resize else ():
        run.pictures.check_size(path)
    return Examples([str(path) for path in paths], run.pictures.read(paths))


def fitting(x: np.ndarray, run: Run, source: str) -> np.ndarray:
    """Examples (n, ...) of an array, which may be one example, or pictures without channels.

    Raises ValueError for another shape.
    """
    shape = run.example_shape
    if run.pictures is not None:
        x = run.pictures.fit(x)
    without = shape[1:] if len(shape) == 3 and shape[0] == 1 else None
    if x.shape == shape or (x.shape == without):
        x = x[np.newaxis]
    if x.shape[1:] == without:
        x = x[:, np.newaxis]
    if x.ndim < 1 or x.shape[1:] != shape or not len(x):
        raise ValueError(f"{source}: has shape {x.shape}, the run's examples are "
                         f"(n, {_words(shape)})")
    return x


def numbers(x: np.ndarray, run: Run, source: str) -> np.ndarray:
    """Examples in the scale of those that the run was trained on.

    Bytes count as 0 to 1 where the run was trained on bytes, else as what they are. Raises
    ValueError for what is not finite, and for numbers beyond 0 to 1 where bytes are expected.
    """
    if x.dtype.kind not in "buif":
        raise ValueError(f"{source}: has dtype {x.dtype}, expected real numbers")
    check_finite("x", x, f"{source}: ")
    if run.dtype == "uint8" and x.dtype != np.uint8 and (x.min() < 0 or x.max() > 1):
        raise ValueError(f"{source}: holds {x.dtype} from {x.min():g} to {x.max():g}, and the run "
                         "was trained on bytes: give uint8, or numbers from 0 to 1")
    if run.dtype not in ("uint8", "") and x.dtype == np.uint8:
        return x.astype(np.float32)
    return x


def _words(shape: tuple[int, ...]) -> Any:
    return ", ".join(map(str, shape))
