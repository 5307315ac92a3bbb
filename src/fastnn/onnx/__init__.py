"""Models from ONNX files, and ONNX files of models."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastnn.onnx.loading import load as load
    from fastnn.onnx.saving import save as save

_LATE = {"load": "fastnn.onnx.loading", "save": "fastnn.onnx.saving"}

__all__ = ["load", "save"]


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module 'fastnn.onnx' has no attribute {name!r}")
    found = getattr(import_module(_LATE[name]), name)
    globals()[name] = found
    return found
