"""A model's layers in a table: shapes, parameters, multiply-adds and bytes of activations."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastnn.arguments import instance
from fastnn.engine.inputs import as_inputs, as_specs, specs_of
from fastnn.engine.nesting import flat
from fastnn.engine.trace import trace
from fastnn.graph import Graph, Node, Tensor
from fastnn.nn.calls import Observer, observing
from fastnn.nn.module import Module
from fastnn.nn.parameter import Parameter
from fastnn.plan.budget import format_bytes

HEAD = ("layer", "output shape", "parameters", "trained", "multiply-adds", "activations")


@dataclass(frozen=True)
class Row:
    """One module: what it owns and computes itself, without the modules inside of it.

    path: "" for the model. shapes: of its outputs, at its last call; () if it was never called.
    trained: how many of its parameters are trained. activation_bytes: of all values that it
    computes, but for those that are another value's memory.
    """

    path: str
    kind: str
    shapes: tuple[tuple[int, ...], ...]
    parameters: int
    trained: int
    multiply_adds: int
    activation_bytes: int


@dataclass(frozen=True)
class Summary:
    """The layers of a model; `str` gives a table. Totals count a shared parameter once."""

    rows: tuple[Row, ...]
    input_shapes: tuple[tuple[int, ...], ...]
    parameters: int
    trained: int
    buffers: int

    @property
    def multiply_adds(self) -> int:
        """Of all products: convolutions, linear layers, matrix products."""
        return sum(row.multiply_adds for row in self.rows)

    @property
    def activation_bytes(self) -> int:
        """Of all values that the forward pass computes. A plan holds fewer of them at a time."""
        return sum(row.activation_bytes for row in self.rows)

    def __str__(self) -> str:
        lines = [HEAD, *(_cells(row) for row in self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(HEAD))]
        table = ["  ".join(cell.ljust(width) if i < 2 else cell.rjust(width) for i, (cell, width)
                           in enumerate(zip(line, widths, strict=True))).rstrip() for line in lines]
        rule = "-" * max(map(len, table))
        shapes = ", ".join(map(str, self.input_shapes))
        return "\n".join([table[0], rule, *table[1:], rule,
                          f"input          {shapes}",
                          f"parameters     {self.parameters:,} ({format_bytes(4 * self.parameters)}"
                          f"), {self.trained:,} trained; {self.buffers:,} numbers in buffers",
                          f"multiply-adds  {self.multiply_adds:,}",
                          f"activations    {format_bytes(self.activation_bytes)}"])

    __repr__ = __str__


def _cells(row: Row) -> tuple[str, ...]:
    depth, (_, _, name) = row.path.count(".") + bool(row.path), row.path.rpartition(".")
    trained = "-" if not row.parameters else (
        "yes" if row.trained == row.parameters else f"{row.trained:,}" if row.trained else "no")
    return ("  " * depth + (f"{name}: {row.kind}" if name else row.kind),
            ", ".join(map(str, row.shapes)) or "-",
            f"{row.parameters:,}" if row.parameters else "-", trained,
            f"{row.multiply_adds:,}" if row.multiply_adds else "-",
            format_bytes(row.activation_bytes) if row.activation_bytes else "-")


class _Shapes(Observer):
    """The shapes of what each module returned last."""

    def __init__(self) -> None:
        self.of: dict[int, tuple[tuple[int, ...], ...]] = {}

    def left(self, module: Module, inputs: tuple[Any, ...], output: Any) -> None:
        values = flat(list(output.values()) if isinstance(output, dict) else output)
        self.of[id(module)] = tuple(value.shape for value in values if hasattr(value, "shape"))


def summary(model: Module, *inputs: Any) -> Summary:
    """A table of a model's layers for inputs of these shapes.

    inputs: for each input of the model its shape, the batch first, or an array, or a tuple of
    them. Nothing is computed. The model is looked at in its mode of now. A row has what a module
    owns and computes itself, without the modules inside of it.

    Returns a Summary: `.rows`, `.parameters`, `.trained`, `.multiply_adds`, `.activation_bytes`;
    printed, it is a table. Raises ShapeError for shapes that do not fit, TypeError for anything but
    a module.

    >>> import fastnn as fn
    >>> net = fn.nn.Sequential(fn.nn.Conv2d(1, 4, 3), fn.nn.ReLU(), fn.nn.Flatten(),
    ...                        fn.nn.Linear(144, 10))
    >>> print(summary(net, (32, 1, 8, 8)))
    layer         output shape   parameters  trained  multiply-adds  activations
    ----------------------------------------------------------------------------
    Sequential    (32, 10)                -        -              -            -
      0: Conv2d   (32, 4, 6, 6)          40      yes         41,472     18.0 KiB
      1: ReLU     (32, 4, 6, 6)           -        -              -     18.0 KiB
      2: Flatten  (32, 144)               -        -              -     18.0 KiB
      3: Linear   (32, 10)            1,450      yes         46,080      1.2 KiB
    ----------------------------------------------------------------------------
    input          (32, 1, 8, 8)
    parameters     1,490 (5.8 KiB), 1,490 trained; 0 numbers in buffers
    multiply-adds  87,552
    activations    55.2 KiB
    """
    instance(model, "model", Module)
    if not inputs:
        raise TypeError("summary needs the shape of an input, as in summary(model, (1, 3, 32, 32))")
    specs = tuple(_specs(value, f"input {i}") for i, value in enumerate(inputs))
    shapes = _Shapes()
    with observing(shapes):
        traced = trace(model, specs)
    graph = Graph.trace(traced.inputs, flat(traced.output), traced.updates)
    by_path: dict[str, list[Node]] = {}
    for node in graph.nodes:
        by_path.setdefault(node.scope, []).append(node)
    rows = tuple(_row(path, module, shapes.of.get(id(module), ()), by_path.pop(path, []))
                 for path, module in model.named_modules())
    parameters = list(model.parameters())
    return Summary(
        rows, tuple(spec.shape for spec in flat(specs)), _count(parameters),
        _count([parameter for parameter in parameters if parameter.requires_grad]),
        sum(buffer.numel() for buffer in model.buffers()))


def _specs(value: Any, name: str) -> Any:
    """Specs of an array, of a shape, or of a tuple of these."""
    if isinstance(value, (tuple, list)) and not all(
            isinstance(size, (int, np.integer)) for size in value):
        return tuple(_specs(inner, f"{name}[{i}]") for i, inner in enumerate(value))
    return as_specs(value) if isinstance(value, (tuple, list)) else specs_of(
        as_inputs(value, name))


def _count(parameters: list[Parameter]) -> int:
    return sum(parameter.numel() for parameter in parameters)


def _row(path: str, module: Module, shapes: Any, nodes: list[Node]) -> Row:
    own = list(module.parameters(recurse=False))
    return Row(path, module._get_name(), shapes, _count(own),
               _count([parameter for parameter in own if parameter.requires_grad]),
               sum(_multiply_adds(node) for node in nodes),
               sum(tensor.bytes for node in nodes for tensor in _new(node)))


def _new(node: Node) -> Iterator[Tensor]:
    """Outputs with memory of their own."""
    if node.op.view_of(node) is None and node.op.name != "from_row_major":
        yield from node.outputs


def _multiply_adds(node: Node) -> int:
    """Two operations each, of those whose work is products."""
    products = any(kind.endswith("products") for kind in node.op.work(node))
    return round(node.op.flops(node) / 2) if products else 0
