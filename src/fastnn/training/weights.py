"""Save and load a model's weights."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np

from fastnn._kernels.checks import all_finite
from fastnn.arguments import flag, instance
from fastnn.engine.inputs import NonFiniteError
from fastnn.files.errors import CheckpointError
from fastnn.files.foreign import HEAD_BYTES
from fastnn.files.pth import PthFile, is_pth
from fastnn.files.read import open_regular
from fastnn.files.regular import Path
from fastnn.nn.misfit import misfit
from fastnn.nn.module import Module
from fastnn.runtime.locks import process_lock
from fastnn.spec import FLOAT, storage_axes
from fastnn.training.files import ArrayFile, write_arrays

MODEL = "model."  # the prefix of weights' names in a full checkpoint
CHECKPOINT = "fastnn checkpoint"


def save(path: Path, model: Module, allow_non_finite: bool = False) -> None:
    """Write a model's parameters and buffers to a safetensors file, all or nothing.

    path: the file; an old one is replaced only when the new one is complete. model: its
    `state_dict` is written, with PyTorch's names, shapes and types. allow_non_finite: whether
    NaN and infinity are written too.

    Raises OSError (a full disk, no permission), or NonFiniteError that names an array with NaN or
    infinity: the old file is as it was.

    Source: the format safetensors, https://huggingface.co/docs/safetensors.

    >>> import tempfile, os, fastnn as fn
    >>> model = fn.nn.Linear(3, 2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(os.path.join(folder, "w.safetensors"), model)
    ...     load(os.path.join(folder, "w.safetensors"), model)
    """
    instance(model, "the model", Module)
    with process_lock:  # no other thread changes the weights meanwhile
        arrays = model.state_dict()
        name = None if allow_non_finite else non_finite(arrays)
        if name is not None:
            raise NonFiniteError(
                f"{name} has a value that is not finite; {os.fspath(path)} was not written "
                "(save(path, model, allow_non_finite=True) writes NaN and infinity too)")
        write_arrays(path, arrays, {"format": "pt"})


def non_finite(arrays: Mapping[str, np.ndarray]) -> str | None:
    """The name of the first array with NaN or infinity, or None."""
    for name, array in arrays.items():
        # In storage order, without a copy, for which a budget leaves no room.
        stored = array if array.flags.c_contiguous else array.transpose(storage_axes(array.ndim))
        if array.dtype == FLOAT and not all_finite(np.ascontiguousarray(stored)):
            return name
    return None


def load(path: Path, model: Module, strict: bool = True) -> None:
    """Read a model's parameters and buffers from a safetensors or a PyTorch file.

    Nothing executable is unpickled: a .pth file is read by a reader that knows tensors, numbers and
    containers alone, and one that wants to run anything else is refused by its name.

    path: a file of `save`, of PyTorch's users, or a checkpoint of a `Trainer`; or of `torch.save`:
    a state dict, or a checkpoint that has one under "state_dict", "model" or another usual name,
    also from within DataParallel (a prefix "module." of all names is taken off). What is in a
    file is told by its first bytes, not by its name. float16 and bfloat16 become float32, exactly,
    float64 the nearest float32. model: must have the file's names and shapes. strict: False leaves
    names aside that only one side has.

    Raises CheckpointError, which names the file and what is wrong: it is damaged, or names,
    shapes or types do not fit; OSError if it cannot be opened. The model changes only if all fits.
    """
    instance(model, "the model", Module)
    with open_weights(path) as file:
        state = model.state_dict()
        if isinstance(file, PthFile):
            file.unwrap(state)
        prefix = MODEL if file.metadata.get("format") == CHECKPOINT else ""
        targets = match(file, state, prefix, strict)
        with process_lock:
            copy(file, targets)


@contextmanager
def open_weights(path: Path) -> Iterator[ArrayFile | PthFile]:
    """Open a file of weights, whichever it is by its first bytes. Raises as `load`."""
    with open_regular(path) as stream:
        head = stream.read(HEAD_BYTES)
        stream.seek(0)
        yield (PthFile if is_pth(head) else ArrayFile)(path, stream)


def match(
    file: ArrayFile | PthFile, own: Mapping[str, np.ndarray], prefix: str, strict: bool = True
) -> dict[str, np.ndarray]:
    """The arrays to fill, by their names in the file, after checking names, shapes and types."""
    places = {prefix + name: array for name, array in own.items()}
    shapes = {name: array.shape for name, array in places.items()}
    given = {name: file.shape(name) for name in file.names if name.startswith(prefix)}
    if words := misfit(shapes, given, flag(strict, "strict")):
        raise file.fault(f"does not fit the model: {words}")
    found = {name: array for name, array in places.items() if name in given}
    for name, array in found.items():
        file.check(name, array.shape, array.dtype)
    return found


def copy(file: ArrayFile | PthFile, targets: Mapping[str, np.ndarray]) -> None:
    """Fill the arrays that `match` returned.

    All are read once before the first one changes. They are not kept: that would take their bytes a
    second time, for which a memory budget leaves no room.
    """
    for name, array in targets.items():
        file.read_as(name, array.dtype)
    for name, array in targets.items():
        array[...] = file.read_as(name, array.dtype)


__all__ = ["CheckpointError", "load", "save"]
