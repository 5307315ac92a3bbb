"""What reading and writing ONNX files share: the package onnx, imported late, and their error."""

from __future__ import annotations

from importlib import import_module
from typing import Any

HELP = 'ONNX files need onnx: pip install "fastnn[onnx]"'


class UnsupportedError(NotImplementedError):
    """An operation or operator, or a form of one, that is not there."""


def onnx() -> Any:
    """The onnx package. Raises ImportError that says how to install it."""
    try:
        return import_module("onnx")
    except ImportError as error:
        raise ImportError(HELP) from error
