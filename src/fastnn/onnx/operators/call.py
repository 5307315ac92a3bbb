"""A node of a file as it is computed: its attributes, its inputs, and errors that name it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.graph import Tensor
from fastnn.onnx.package import UnsupportedError

Value = Tensor | np.ndarray  # an array is known when the model is traced


@dataclass(frozen=True)
class Call:
    """One operator with its inputs, None where one is left out."""

    kind: str
    name: str
    opset: int
    attributes: dict[str, Any]
    inputs: Sequence[Value | None]
    outputs: int  # how many are asked for
    training: bool

    def __getitem__(self, place: int) -> Any:
        """An input; ValueError if it is missing."""
        value = self.get(place)
        if value is None:
            raise ValueError(f"{self.where} has no input {place}")
        return value

    def get(self, place: int) -> Any:
        """An input, or None."""
        return self.inputs[place] if place < len(self.inputs) else None

    def known(self, place: int) -> np.ndarray:
        """An input that must be known before the model runs: a shape, axes, a bound."""
        value = self[place]
        if not isinstance(value, np.ndarray):
            raise self.unsupported(f"input {place} is computed from the model's inputs; it must be "
                                   "a constant")
        return value

    def attribute(self, name: str, default: Any = None) -> Any:
        """An attribute, or its default."""
        return self.attributes.get(name, default)

    def numbers(self, name: str, place: int, since: int, default: Any = None) -> Any:
        """Integers that are an attribute before an opset and an input from it on; or the default.
        """
        if self.opset >= since:
            return default if self.get(place) is None else [
                int(value) for value in self.known(place).ravel()]
        return self.attribute(name, default)

    @property
    def where(self) -> str:
        """The operator, and its name if it has one."""
        return f"{self.kind} {self.name!r}" if self.name else self.kind

    def unsupported(self, what: str) -> UnsupportedError:
        """The error for a form of the operator that is not there."""
        return UnsupportedError(f"onnx.load: {self.where} (opset {self.opset}): {what}")


Operator = Callable[[Call], Any]
