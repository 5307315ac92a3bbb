"""The one way to read a file: regular, without blocking, and of bounded size."""

from __future__ import annotations

import json
import os
import re
from io import BufferedReader
from typing import Any

import numpy as np

from fastnn.files.regular import Path, check_regular

JSON_BYTES = 64 << 20  # a history of a hundred thousand epochs takes a third of it
JSON_DEPTH = 100
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"?', re.DOTALL)  # or all the rest, if it does not end
OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def open_regular(path: Path) -> BufferedReader:
    """Open a regular file to read bytes, without blocking.

    Raises OSError that names the file: it is missing, may not be read, or is a folder, a FIFO, a
    socket or a device.
    """
    path = os.fspath(path)  # a number would be taken as a descriptor, and closed
    check_regular(os.stat(path).st_mode, path)  # opening some devices has effects
    # Without O_NONBLOCK, open would block on a FIFO that replaced the file since then.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    try:
        check_regular(os.fstat(descriptor).st_mode, path)
        return os.fdopen(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


def read_bytes(path: Path, most: int = JSON_BYTES) -> bytes:
    """A whole file of up to `most` bytes. Raises OSError as `open_regular`; ValueError."""
    with open_regular(path) as stream:
        content = stream.read(most + 1)
    if len(content) > most:
        raise ValueError(f"{os.fspath(path)}: has more than {most} bytes, too many for its kind")
    return content


def read_json(path: Path, most: int = JSON_BYTES) -> Any:
    """The contents of a JSON file. Raises OSError; ValueError that names the file and the fault."""
    content = read_bytes(path, most)
    try:
        return parse_json(content)
    except ValueError as error:
        raise ValueError(f"{os.fspath(path)}: {error}") from error


def reason(error: BaseException, most: int = 200) -> str:
    """An error's message, on one line and shortened: some repeat all of their input.

    >>> reason(ValueError("not" + " so" * 100), 10)
    'not so so ...'
    """
    text = " ".join(str(error).split())
    return text if len(text) <= most else f"{text[:most]}..."


def parse_json(content: bytes) -> Any:
    """Parse JSON text (UTF-8) without duplicate names or deep nesting.

    Raises ValueError for all else.
    """
    try:
        if _depth(content) > JSON_DEPTH:
            raise ValueError(f"nested more than {JSON_DEPTH} deep")
        return json.loads(content.decode(), object_pairs_hook=_unique)
    except ValueError as error:
        raise ValueError(f"not JSON that can be read ({error})") from error


def _depth(content: bytes) -> int:
    """The nesting depth of brackets, before a parser recurses on them."""
    brackets = np.frombuffer(STRING.sub(b"", content).translate(None, OTHERS), np.uint8)
    steps = (brackets & 2).astype(np.int8) - 1  # 1 for [ and {, -1 for ] and }
    return int(steps.cumsum(dtype=np.int64).max(initial=0))


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise ValueError("a name is there twice")
    return result
