"""Nets with weights that somebody has trained."""

from __future__ import annotations

import difflib
import hashlib
import os
from importlib.util import find_spec
from pathlib import Path as FilePath

from fastnn.files.errors import CheckpointError
from fastnn.files.pth import reading
from fastnn.files.read import open_regular
from fastnn.files.regular import Path
from fastnn.models.pretrained import PRETRAINED, Pretrained
from fastnn.nn.misfit import misfit
from fastnn.nn.module import Module


def load(name: str, path: Path | None = None) -> Module:
    """A net with weights that somebody has trained, in evaluation mode.

    The file is found where the package that has it is installed, whose code is never run; the
    file is read without unpickling anything executable. `model.pretrained` says whose weights they
    are, and makes the net's input of pictures: `model(model.pretrained.preprocess("cat.png"))`.

    name: one of `PRETRAINED`: "efficientnet-lite0". path: a .pth file with the same net's weights,
    in place of the package's; only the package's own must have the contents that are known here.

    Raises ValueError for an unknown name; FileNotFoundError that says how to get the file;
    CheckpointError, which names the file and what is wrong in it; OSError if it cannot be opened.

    >>> load("efficientnet")
    Traceback (most recent call last):
        ...
    ValueError: no weights of 'efficientnet' are known: did you mean efficientnet-lite0? Known \
are efficientnet-lite0
    """
    record = find_record(name)
    place = find_file(record) if path is None else path
    if path is None:
        check_contents(place, record)
    model = record.make(num_classes=record.num_classes)
    shapes = {key: array.shape for key, array in model.state_dict().items()}
    with reading(place) as file:
        file.unwrap(shapes)
        if words := misfit(shapes, {key: file.shape(key) for key in file.names}):
            raise file.fault(f"does not fit {record.name}: {words}")
        model.load_state_dict(file.read_all())
    model.pretrained = record
    return model.eval()


def find_record(name: str) -> Pretrained:
    """What is known of a name's weights; ValueError for an unknown one."""
    if isinstance(name, str) and name in PRETRAINED:
        return PRETRAINED[name]
    close = difflib.get_close_matches(str(name), PRETRAINED, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    raise ValueError(f"no weights of {name!r} are known: {hint}Known are {', '.join(PRETRAINED)}")


def find_file(record: Pretrained) -> FilePath:
    """Where the package's file is; FileNotFoundError that says how to get it.

    The package is looked up, not imported: it might import PyTorch.
    """
    spec = find_spec(record.module)
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        if (FilePath(folder) / record.file).is_file():
            return FilePath(folder) / record.file
    raise FileNotFoundError(f"the weights of {record.name} are not installed: {record.command}, or "
                            "pass path=, a .pth file of them")


def check_contents(path: Path, record: Pretrained) -> None:
    """Raise CheckpointError unless a file has the contents that are known of these weights."""
    with open_regular(path) as stream:
        found = hashlib.file_digest(stream, "sha256").hexdigest()
    if found != record.sha256:
        raise CheckpointError(f"{os.fspath(path)}: is not the file that is known as {record.name}: "
                              f"its sha256 is {found}, expected {record.sha256}")
