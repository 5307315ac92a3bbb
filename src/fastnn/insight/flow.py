"""What `explain` found: operations, and on the edges between them values and gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fastnn.insight.flow_picture import draw

HEAD = ("from", "to", "shape", "value", "gradient")
SHOWN = 3  # elements that are written out


@dataclass(frozen=True)
class Place:
    """An operation, an input or an output of the graph.

    name: of an input its argument, of a parameter its path, else the operation. path: of the module
    that it belongs to. is_leaf: whether it comes from outside, or is an output.
    """

    name: str
    path: str
    is_leaf: bool

    @property
    def label(self) -> str:
        """path: name."""
        return f"{self.path}: {self.name}" if self.path else self.name


@dataclass(frozen=True)
class Edge:
    """A value on its way from one place to another, and the gradient on its way back.

    source, target: numbers of places. value: the array. grad: d output / d value by this way alone,
    of the same shape; None for integers, and where none arrives. Where a value goes several ways,
    its gradient is the sum over them.
    """

    source: int
    target: int
    value: np.ndarray = field(repr=False)
    grad: np.ndarray | None = field(repr=False)


@dataclass(frozen=True)
class Flow:
    """The places in the order of computation, and the edges between them.

    `str` gives a table, `plot()` a picture. `flow["x"]` are the edges that leave the place of this
    label or name, in their order; `grad("x")` is the sum of their gradients.
    """

    places: tuple[Place, ...]
    edges: tuple[Edge, ...]

    def __iter__(self) -> Iterator[Edge]:
        return iter(self.edges)

    def __len__(self) -> int:
        return len(self.edges)

    def __getitem__(self, name: str) -> list[Edge]:
        for attribute in ("label", "name"):
            found = [number for number, place in enumerate(self.places)
                     if getattr(place, attribute) == name]
            if found:
                return [edge for edge in self.edges if edge.source == found[-1]]
        raise KeyError(f"no place {name!r}; there are "
                       f"{', '.join(dict.fromkeys(place.label for place in self.places))}")

    def grad(self, name: str) -> np.ndarray:
        """The gradient of the output in a value: the sum over all ways that it goes."""
        edges = self[name]
        grads = [edge.grad for edge in edges if edge.grad is not None]
        return np.asarray(sum(grads)) if grads else np.zeros(edges[0].value.shape, np.float32)

    def __str__(self) -> str:
        lines = [HEAD, *((self.places[edge.source].label, self.places[edge.target].label,
                          str(edge.value.shape), numbers(edge.value), numbers(edge.grad))
                         for edge in self.edges)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
        text = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
                .rstrip() for line in lines]
        return "\n".join([text[0], "-" * len(text[0]), *text[1:]])

    def plot(self) -> Any:
        """A matplotlib Figure: places as boxes, on each edge the value and below it the gradient.

        Raises ImportError that says how to install matplotlib.
        """
        return draw([(place.label, place.is_leaf) for place in self.places],
                    [(edge.source, edge.target, numbers(edge.value), numbers(edge.grad))
                     for edge in self.edges])


def numbers(array: np.ndarray | None) -> str:
    """A few numbers, or of many the mean and the standard deviation.

    >>> numbers(np.float32(1.5)), numbers(np.array([1.0, -2.0]))
    ('1.5', '[1, -2]')
    >>> numbers(np.arange(100.0)), numbers(None)
    ('49.5 ± 28.9', '-')
    """
    if array is None:
        return "-"
    array = np.asarray(array)
    if array.size == 1:
        return f"{float(array.reshape(())):.3g}"
    if array.size <= SHOWN:
        return "[" + ", ".join(f"{value:.3g}" for value in array.ravel()) + "]"
    return f"{array.mean(dtype=np.float64):.3g} ± {array.std(dtype=np.float64):.3g}"
